package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Denied says why this process may not read a file. It has the user and the
// groups of the process, and the owner and the mode of the file. If Folder is
// true, the owner and the mode are those of a folder on the path to the file.
type Denied struct {
	UID  int   // the user of the process
	GIDs []int // the groups of the process, first the effective one

	OwnerKnown   bool // whether the fields below are set
	Owner, Group int
	Mode         fs.FileMode
	Folder       bool // whether Owner, Group and Mode are those of a folder on the path to the file
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

// Unwrap returns [fs.ErrPermission], so that [errors.Is] finds it.
func (d *Denied) Unwrap() error { return fs.ErrPermission }

// remedy says how to let the group of this process read the file, and nobody
// else.
func (d *Denied) remedy() string {
	switch {
	case d.allowed():
		return "its mode lets the program read it, so an access list (ACL) or SELinux does not: look there"
	case d.Folder:
		return fmt.Sprintf("let the program's group pass: chgrp %d and chmod 0750 on that folder", d.GIDs[0])
	}
	return fmt.Sprintf("let the program's group read it: chgrp %d and chmod 0640", d.GIDs[0])
}

// allowed reports whether the mode lets the process read the file, or enter the
// folder. If it does, then the mode is not the reason why access is denied. The
// reason is then an access list or SELinux, for example.
func (d *Denied) allowed() bool {
	need := fs.FileMode(4)
	if d.Folder {
		need = 1
	}
	class := d.Mode // the rights of other users
	switch {
	case d.UID == d.Owner:
		class = d.Mode >> 6
	case slices.Contains(d.GIDs, d.Group):
		class = d.Mode >> 3
	}
	return d.OwnerKnown && class&need != 0
}

// newDenied finds out why this process cannot read the file called name.
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

// closedFolder looks at each folder on the path to a file. It returns the first
// folder that this process may not enter. If the process may enter every
// folder, closedFolder returns "".
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
