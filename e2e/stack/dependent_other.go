//go:build unix && !linux

package stack

import "syscall"

// Dependent returns process attributes that leave a child process in this process's
// group. On this system a child does not end with its parent. So a terminal's Ctrl-C
// must reach the child as well.
func Dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
