package stack

import "syscall"

// Dependent returns process attributes for a child process. With them, the child ends
// when this process ends, for whatever reason. The child does not get a terminal's
// Ctrl-C, because this process decides when to stop it.
func Dependent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
