//go:build unix

package config

import "syscall"

// writable reports whether this process may make files in the directory dir.
// It asks and makes none: on a full disk that would fail, and leaves that are
// in a file there must not be forgotten for it.
func writable(dir string) bool {
	const write, search = 2, 1 // W_OK and X_OK of access(2)
	return syscall.Access(dir+"/.", write|search) == nil
}
