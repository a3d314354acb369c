package main

import (
	"cmp"
	"runtime/debug"
)

// version holds the program's version. The linker sets it with -ldflags "-X
// main.version=1.2.3".
var version string

// buildVersion returns version if it is not empty. Otherwise, it returns the
// version that the go command has recorded in the program.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
