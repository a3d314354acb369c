//go:build unix && !linux

package redistest

import "syscall"

// dependent returns nil, because only Linux can end a process together with its parent.
func dependent() *syscall.SysProcAttr { return nil }
