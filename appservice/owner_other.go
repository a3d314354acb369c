//go:build !unix

package appservice

import (
	"io/fs"
	"os"
)

func keepOwner(*os.File, fs.FileInfo) {}
