package main

import (
	"os"
	"runtime/debug"
)

// The garbage collector's settings, unless GOGC or GOMEMLIMIT say otherwise.
//
// Little lives longer than a request, about 5 MB, so by Go's default of 100 %
// the collector runs dozens of times a second under load. At 200 % it takes 2 %
// of the service's CPU time instead of 4 %, for 4 MB more. The limit is for a
// crowd: the collector works harder before a container with 200 MiB would have
// to be killed.
const (
	gcPercent   = 200
	memoryLimit = 150 << 20
)

func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// freeCertificates gives back what parsing every certificate of the system took:
// as much as all that the idle service keeps.
func freeCertificates() { debug.FreeOSMemory() }
