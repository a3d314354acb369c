//go:build unix

package config

import "syscall"

// writable reports whether this process may create files in dir. It checks
// only the rights, and does not create a file as a trial. On a full disk a
// trial would fail, and the service would then not use the leaves that are
// already in a file in dir.
func writable(dir string) bool {
	const write, search = 2, 1 // W_OK|X_OK of access(2): the rights to create files and to enter
	return syscall.Access(dir+"/.", write|search) == nil
}
