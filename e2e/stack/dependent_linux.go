package stack

import "syscall"

// Dependent returns process attributes. With them, a process ends when this
// process ends, for whatever reason. They also keep a terminal's Ctrl-C from
// the process, because this process decides when to stop it.
func Dependent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
