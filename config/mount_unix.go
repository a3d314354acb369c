//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mounted reports whether dir is on another mount than "/". If the mounts
// cannot be read, it reports whether dir is on another file system than "/".
// Files on the mount "/" of a container are deleted with the container.
func mounted(dir string) bool {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	if table, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		point, _ := mountOf(dir, string(table))
		return point != "/"
	}
	return device(dir) != device("/")
}

// fleeting returns why files in dir are lost at a restart; "" if no reason is
// known. boxed says that this process runs in a container.
func fleeting(dir string, boxed bool) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "" // the store reports this fault when it opens its file
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return fleetingBy(real, string(table), boxed)
}

// fleetingBy returns why files in dir are lost at a restart; "" if no reason is
// known. dir has no symbolic links. table is the content of /proc/self/mountinfo.
// boxed says that this process runs in a container.
func fleetingBy(dir, table string, boxed bool) string {
	point, kind := mountOf(dir, table)
	switch {
	case kind == "tmpfs" || kind == "ramfs":
		return "this directory is in memory (" + kind + "), so a restart of the container, or of the machine, loses the leaves"
	case boxed && point == "/":
		return "this directory is in the container's own layer, which is deleted with the container"
	}
	return ""
}

// device returns the number of the device that holds a file or a directory. It
// returns 0 if the number is unknown.
func device(name string) uint64 {
	var info syscall.Stat_t
	if syscall.Stat(name, &info) != nil {
		return 0
	}
	return uint64(info.Dev)
}

// octal decodes the characters that are escaped in the fields of
// /proc/self/mountinfo (proc(5)).
var octal = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// mountOf returns the mount point that contains dir, and the kind of its file
// system, like "ext4". table is the content of /proc/self/mountinfo. If
// several mounts have the same mount point, the last one counts.
func mountOf(dir, table string) (longest, kind string) {
	longest = "/"
	for line := range strings.Lines(table) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 {
			continue
		}
		point := octal.Replace(fields[4])
		below := point == "/" || point == dir || strings.HasPrefix(dir, point+"/")
		if below && len(point) >= len(longest) {
			longest = point
			kind, _, _ = strings.Cut(after, " ")
		}
	}
	return longest, kind
}
