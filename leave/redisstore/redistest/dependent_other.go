//go:build unix && !linux

package redistest

import "syscall"

// dependent does nothing, because only Linux can end a process with its parent.
func dependent() *syscall.SysProcAttr { return nil }
