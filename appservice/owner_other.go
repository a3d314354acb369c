//go:build !unix

package appservice

import (
	"io/fs"
	"os"
)

// KeepOwner does nothing: files have no group here.
func KeepOwner(*os.File, fs.FileInfo) {}
