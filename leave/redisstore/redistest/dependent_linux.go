package redistest

import "syscall"

// dependent makes a server end with the test, however that ends: a cleanup does
// not run when the program panics or is killed.
func dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
