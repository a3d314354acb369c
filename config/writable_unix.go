//go:build unix

package config

import "syscall"

// writable reports whether this process may create files in dir. It checks the
// rights and creates none: that would fail on a full disk, and the leaves in a
// file there must not be lost for it.
func writable(dir string) bool {
	const write, search = 2, 1 // W_OK and X_OK of access(2)
	return syscall.Access(dir+"/.", write|search) == nil
}
