//go:build unix

package appservice

import (
	"io/fs"
	"os"
	"syscall"
)

// KeepOwner gives file the owner and the group of old. If this process may not
// set the owner, KeepOwner sets only the group.
func KeepOwner(file *os.File, old fs.FileInfo) {
	if stat, ok := old.Sys().(*syscall.Stat_t); ok && file.Chown(int(stat.Uid), int(stat.Gid)) != nil {
		_ = file.Chown(-1, int(stat.Gid))
	}
}
