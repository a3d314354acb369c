package redistest

import "syscall"

// dependent returns attributes that make a redis-server end when the test process ends,
// even after a panic or a kill, when no cleanup runs.
func dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
