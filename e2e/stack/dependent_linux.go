package stack

import "syscall"

// Dependent returns attributes by which a process ends when this process ends
// for any reason. They also keep a terminal's Ctrl-C from the process, because
// this process decides when to stop it.
func Dependent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
