package archive

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Platform is what a program is made for: a kind of processor, and a system.
type Platform struct {
	Name string // in file names and after -arch
	goArch,
	goARM string // GOARCH and GOARM; the latter is empty for all but 32-bit ARM
	v1.Platform
}

// Platforms are those that images are made for, of the machines that people run this on: PCs and most NAS,
// newer NAS and single-board computers, and older ones.
var Platforms = []Platform{
	{"amd64", "amd64", "", v1.Platform{OS: "linux", Architecture: "amd64"}},
	{"arm64", "arm64", "", v1.Platform{OS: "linux", Architecture: "arm64"}},
	{"armv7", "arm", "7", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}},
}

// Workstations are the platforms that no image is for: people run setup and doctor
// there.
var Workstations = []Platform{
	{"windows-amd64", "amd64", "", v1.Platform{OS: "windows", Architecture: "amd64"}},
	{"darwin-arm64", "arm64", "", v1.Platform{OS: "darwin", Architecture: "arm64"}},
}

// Names are those of [Platforms].
func Names() (all []string) {
	for _, p := range Platforms {
		all = append(all, p.Name)
	}
	return all
}

// otherNames are what `uname -m`, Docker and Synology's pages call them.
var otherNames = map[string]string{
	"x86_64": "amd64", "aarch64": "arm64", "armv8": "arm64",
	"arm/v7": "armv7", "armv7l": "armv7", "armhf": "armv7", "native": Native(),
}

// Native is the name of this machine's processor.
func Native() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

// ParsePlatforms reads names with commas between them. Each is taken once.
func ParsePlatforms(list string) (chosen []Platform, err error) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if other, ok := otherNames[name]; ok {
			name = other
		}
		i := slices.IndexFunc(Platforms, func(p Platform) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image for the processor %q; there is one for %s", name, strings.Join(Names(), ", "))
		}
		if !slices.ContainsFunc(chosen, func(p Platform) bool { return p.Name == name }) {
			chosen = append(chosen, Platforms[i])
		}
	}
	return chosen, nil
}
