//go:build unix && !linux

package stack

import "syscall"

// Dependent returns process attributes that leave the process in this
// process's group. On this system a process does not end with its parent, so a
// terminal's Ctrl-C must reach both.
func Dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
