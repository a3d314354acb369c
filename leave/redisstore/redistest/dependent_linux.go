package redistest

import "syscall"

// dependent makes a server end with the test process, even if the process
// panics or is killed and runs no cleanup.
func dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
