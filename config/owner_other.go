//go:build !unix

package config

import "io/fs"

// ownerOf: files have an owner by number on unix alone.
func ownerOf(fs.FileInfo) (uid, gid int, known bool) { return 0, 0, false }
