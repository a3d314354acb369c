package service

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// These are the settings of the garbage collector. If GOGC is set, the first
// three are not used. If GOMEMLIMIT is set, memoryLimit is not used.
//
// Usually the service keeps only about 5 MB of memory in use for longer than a
// request. With so little, and Go's default of 100 %, the collector would run dozens
// of times a second under load. With gcPercent, it takes 2 % of the service's CPU
// time instead of 4 %, but the service takes 4 MB more memory.
//
// Strangers can make the service keep more memory in use. In a small container,
// garbage of 200 % of these bytes would be too much. So garbage may take at most
// maxGarbage, or leastPercent of the bytes in use if that is more.
//
// memoryLimit is for a crowd of clients. Near this limit the collector works
// harder, so that a container with 200 MiB is not killed.
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

// followHeap sets the collector's percentage immediately, and again after every
// collection. The argument now is the percentage before this call.
func followHeap(now int) {
	if percent := percentFor(liveHeap()); percent != now {
		debug.SetGCPercent(percent)
		now = percent
	}
	type garbage struct{ _ [64]byte } // after the next collection frees this value, Go calls followHeap again
	runtime.AddCleanup(new(garbage), followHeap, now)
}

// percentFor returns how much garbage may exist before the next collection. The
// result is in percent of the live bytes, in steps of ten.
func percentFor(live uint64) int {
	percent := 100 * maxGarbage / max(live, 1)
	return int(min(max(percent/10*10, leastPercent), gcPercent))
}

// liveHeap returns how many bytes of the heap were still in use after the last garbage
// collection.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
