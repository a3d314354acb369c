package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platform is a kind of processor that images are made for.
type platform struct {
	name string // in file names and after -arch
	goArch,
	goARM string // GOARCH and GOARM; the latter is empty for all but 32-bit ARM
	v1.Platform
}

// platforms are those of the machines that people run this on: PCs and most NAS,
// newer NAS and single-board computers, and older ones.
var platforms = []platform{
	{"amd64", "amd64", "", v1.Platform{OS: "linux", Architecture: "amd64"}},
	{"arm64", "arm64", "", v1.Platform{OS: "linux", Architecture: "arm64"}},
	{"armv7", "arm", "7", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}},
}

func names() (all []string) {
	for _, p := range platforms {
		all = append(all, p.name)
	}
	return all
}

// otherNames are what `uname -m`, Docker and Synology's pages call them.
var otherNames = map[string]string{
	"x86_64": "amd64", "aarch64": "arm64", "armv8": "arm64",
	"arm/v7": "armv7", "armv7l": "armv7", "armhf": "armv7", "native": nativeName(),
}

// nativeName is the name of this machine's processor.
func nativeName() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

// parsePlatforms reads names with commas between them. Each is taken once.
func parsePlatforms(list string) (chosen []platform, err error) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if other, ok := otherNames[name]; ok {
			name = other
		}
		i := slices.IndexFunc(platforms, func(p platform) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image for the processor %q; there is one for %s", name, strings.Join(names(), ", "))
		}
		if !slices.ContainsFunc(chosen, func(p platform) bool { return p.name == name }) {
			chosen = append(chosen, platforms[i])
		}
	}
	return chosen, nil
}
