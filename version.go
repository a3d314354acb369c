package main

import (
	"cmp"
	"runtime/debug"
)

// version is set when the program is linked, by -ldflags "-X
// main.version=1.2.3".
var version string

// buildVersion returns version if that is set. Otherwise, it returns the
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
