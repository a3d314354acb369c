//go:build !unix

package appservice

import (
	"io/fs"
	"os"
)

// KeepOwner does nothing: files here have no group to keep.
func KeepOwner(*os.File, fs.FileInfo) {}
