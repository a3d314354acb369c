//go:build !unix

package appservice

import (
	"io/fs"
	"os"
)

// KeepOwner does nothing, because this system gives files no Unix owner and
// group.
func KeepOwner(*os.File, fs.FileInfo) {}
