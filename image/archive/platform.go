package archive

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Platform is an operating system and a kind of processor. The program is
// compiled for each platform.
type Platform struct {
	Name string // used in file names, and as a value of the flag -arch
	goArch,
	goARM string // the values of GOARCH and GOARM; goARM is "" except for 32-bit ARM
	v1.Platform
}

// Platforms are the platforms of the images: amd64 for PCs and most NAS, arm64
// for newer NAS and single-board computers, and armv7 for older single-board
// computers.
var Platforms = []Platform{
	{"amd64", "amd64", "", v1.Platform{OS: "linux", Architecture: "amd64"}},
	{"arm64", "arm64", "", v1.Platform{OS: "linux", Architecture: "arm64"}},
	{"armv7", "arm", "7", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}},
}

// Workstations are the platforms on which people run only the commands setup
// and doctor. There are no images for them.
var Workstations = []Platform{
	{"windows-amd64", "amd64", "", v1.Platform{OS: "windows", Architecture: "amd64"}},
	{"darwin-arm64", "arm64", "", v1.Platform{OS: "darwin", Architecture: "arm64"}},
}

// Names returns the names of [Platforms].
func Names() (all []string) {
	for _, p := range Platforms {
		all = append(all, p.Name)
	}
	return all
}

// otherNames maps other names of processors to the names in [Platforms]. `uname
// -m`, Docker and Synology use such names. "native" means this machine's
// processor.
var otherNames = map[string]string{
	"x86_64": "amd64", "aarch64": "arm64", "armv8": "arm64",
	"arm/v7": "armv7", "armv7l": "armv7", "armhf": "armv7", "native": Native(),
}

// Native returns the name of this machine's processor.
func Native() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

// ParsePlatforms parses names of platforms, separated by commas. A repeated
// name counts once.
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
