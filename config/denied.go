package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Denied is why this process may not read a file: who it is, and whose the file
// is, or the folder on the way to it.
type Denied struct {
	UID  int   // of the process
	GIDs []int // of the process, the effective one first

	OwnerKnown   bool // what follows
	Owner, Group int
	Mode         fs.FileMode
	Folder       bool // which is on the way to the file
}

func (d *Denied) Error() string {
	if !d.OwnerKnown {
		return fmt.Sprintf("permission denied: this program runs as uid %d and gid %d", d.UID, d.GIDs[0])
	}
	what := "it"
	if d.Folder {
		what = "a folder on the way to it"
	}
	return fmt.Sprintf("permission denied: %s belongs to uid %d and gid %d with mode %04o, and this program runs as uid %d and gid %d",
		what, d.Owner, d.Group, d.Mode.Perm(), d.UID, d.GIDs[0])
}

// Unwrap has [errors.Is] find [fs.ErrPermission].
func (d *Denied) Unwrap() error { return fs.ErrPermission }

// remedy says what would let the process in, and nobody else.
func (d *Denied) remedy() string {
	switch {
	case d.allowed():
		return "its mode lets the program read it, so an access list (ACL) or SELinux does not: look there"
	case d.Folder:
		return fmt.Sprintf("let the program's group pass: chgrp %d and chmod 0750 on that folder", d.GIDs[0])
	}
	return fmt.Sprintf("let the program's group read it: chgrp %d and chmod 0640", d.GIDs[0])
}

// allowed reports whether the mode is no reason: it gives the process what it
// needs, to read a file or to pass a folder.
func (d *Denied) allowed() bool {
	need := fs.FileMode(4)
	if d.Folder {
		need = 1
	}
	class := d.Mode // of others
	switch {
	case d.UID == d.Owner:
		class = d.Mode >> 6
	case slices.Contains(d.GIDs, d.Group):
		class = d.Mode >> 3
	}
	return d.OwnerKnown && class&need != 0
}

// newDenied looks why the file of that name cannot be read.
func newDenied(name string) *Denied {
	d := &Denied{UID: os.Geteuid(), GIDs: []int{os.Getegid()}}
	if more, err := os.Getgroups(); err == nil {
		d.GIDs = append(d.GIDs, more...)
	}
	closed := name
	if folder := closedFolder(name); folder != "" {
		closed, d.Folder = folder, true
	}
	info, err := os.Stat(closed)
	if err != nil {
		return d
	}
	d.Mode = info.Mode()
	d.Owner, d.Group, d.OwnerKnown = ownerOf(info)
	return d
}

// closedFolder is the first folder on the way to a file that this process may
// not pass, "" if there is none.
func closedFolder(name string) string {
	path, err := filepath.Abs(name)
	if err != nil {
		return ""
	}
	var ways []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		ways = append(ways, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, dir := range slices.Backward(ways) {
		if _, err := os.Stat(dir + "/."); err != nil {
			return dir
		}
	}
	return ""
}
