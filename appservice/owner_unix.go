//go:build unix

package appservice

import (
	"io/fs"
	"os"
	"syscall"
)

// KeepOwner gives file the owner and the group of old, if this process may:
// the group alone where it may give no other owner.
func KeepOwner(file *os.File, old fs.FileInfo) {
	if stat, ok := old.Sys().(*syscall.Stat_t); ok && file.Chown(int(stat.Uid), int(stat.Gid)) != nil {
		_ = file.Chown(-1, int(stat.Gid))
	}
}
