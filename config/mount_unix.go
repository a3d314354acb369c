//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mounted reports whether dir is on a volume: on another file system than the
// root, or mounted from the same one. What is in a container's own layer is lost
// with the container.
func mounted(dir string) bool {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	if table, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		return mountOf(dir, string(table)) != "/"
	}
	return device(dir) != device("/")
}

// device returns the number of the device that name is on.
func device(name string) uint64 {
	var info syscall.Stat_t
	if syscall.Stat(name, &info) != nil {
		return 0
	}
	return uint64(info.Dev)
}

// octal is how proc(5) writes the characters that would divide its fields.
var octal = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// mountOf returns the mount point that dir is below, or is, by a table as
// /proc/self/mountinfo has it.
func mountOf(dir, table string) string {
	longest := "/"
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := octal.Replace(fields[4])
		below := point == dir || strings.HasPrefix(dir, point+"/")
		if below && len(point) > len(longest) {
			longest = point
		}
	}
	return longest
}
