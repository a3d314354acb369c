//go:build unix && !linux

package stack

import "syscall"

// Dependent returns attributes that leave the process in this process's group.
// This system does not end a process with its parent, so the terminal's Ctrl-C
// must reach both.
func Dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
