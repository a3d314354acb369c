package stack

import "syscall"

// Dependent makes a process end with this one, however this one ends, and
// keeps a Ctrl-C in the terminal from it: this one decides who stops when.
func Dependent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
