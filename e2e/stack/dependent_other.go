//go:build unix && !linux

package stack

import "syscall"

// Dependent leaves the process in this one's group: where the system does not
// end it with this one, the terminal's Ctrl-C still reaches both.
func Dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
