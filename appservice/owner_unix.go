//go:build unix

package appservice

import (
	"io/fs"
	"os"
	"syscall"
)

// KeepOwner sets the owner and the group of file to those of old, or only the
// group if this process may not set the owner.
func KeepOwner(file *os.File, old fs.FileInfo) {
	if stat, ok := old.Sys().(*syscall.Stat_t); ok && file.Chown(int(stat.Uid), int(stat.Gid)) != nil {
		_ = file.Chown(-1, int(stat.Gid))
	}
}
