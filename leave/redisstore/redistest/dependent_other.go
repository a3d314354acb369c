//go:build unix && !linux

package redistest

import "syscall"

// dependent changes nothing: only Linux ends a process with its parent.
func dependent() *syscall.SysProcAttr { return nil }
