package service

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The garbage collector's settings, unless GOGC or GOMEMLIMIT say otherwise.
//
// Little lives longer than a request, about 5 MB, so by Go's default of 100 %
// the collector runs dozens of times a second under load. At 200 % it takes 2 %
// of the service's CPU time instead of 4 %, for 4 MB more. Where strangers make
// more live, 200 % of it would be more than a small container has: garbage may
// take maxGarbage then, but not less than leastPercent. The limit is for a
// crowd: the collector works harder before a container with 200 MiB would have
// to be killed.
const (
	gcPercent    = 200
	maxGarbage   = 12 << 20
	leastPercent = 25
	memoryLimit  = 150 << 20
)

func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		followHeap(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// followHeap sets the percentage anew after every collection. now is the one in
// force.
func followHeap(now int) {
	if percent := percentFor(liveHeap()); percent != now {
		debug.SetGCPercent(percent)
		now = percent
	}
	type garbage struct{ _ [64]byte } // the next collection finds it
	runtime.AddCleanup(new(garbage), followHeap, now)
}

// percentFor returns how much garbage, in percent of the bytes that live, may
// gather until the next collection, in steps of ten.
func percentFor(live uint64) int {
	percent := 100 * maxGarbage / max(live, 1)
	return int(min(max(percent/10*10, leastPercent), gcPercent))
}

// liveHeap is what the last collection has left, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
