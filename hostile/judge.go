//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// The limits that the service must keep.
const (
	maxRSS = 120e6 // bytes, at all times
	// maxThousand bounds the memory after a thousand servers with large
	// certificates or long errors.
	maxThousand = 80e6
	maxP99      = 250 * time.Millisecond
	// minProbes is the least number of requests for a p99. With fewer requests,
	// the p99 is the time of the slowest one. A short attack may end with fewer.
	minProbes = 100
	// maxCaches bounds the memory left by 10,000 names, of which caches keep
	// 4,096.
	maxCaches = 10e6
	// The growth that is allowed at the end. The connection that measures, a
	// running request, and kept buffers cause it.
	moreGoroutines = 10
	moreFiles      = 10
	moreHeap       = 2e6 // bytes
	// settleTime bounds how long the service may take to return to that state.
	// Connections to strangers stay idle for 50 s, and the service checks them
	// every 25 s.
	settleTime = 80 * time.Second
)

// figures are the measurements of a run.
type figures struct {
	fresh, before, after state // at the start, with full caches, and at the end
	recovery             time.Duration

	most, group, thousand bytesOf // resident, including the kernel's part, after a thousand servers
	killed                bool
	alone                 bool // the run had only one attack

	named, together times // requests for the named server: all, and those during the last attack
	failed          int
	failure         string // the first failure
}

// times are the times of requests.
type times struct {
	p50, p99 time.Duration
	n        int
	within   time.Duration // the duration in which the requests ended
}

// areFew reports whether there are too few requests to judge: fewer than least,
// or than half of those that the probe sends in that time.
func (t times) areFew(least int) bool {
	return t.n < least || t.n < int(t.within/probeEvery)/2
}

func (t times) String() string {
	return fmt.Sprintf("%d requests, p50 %.1f ms, p99 %.1f ms", t.n, ms(t.p50), ms(t.p99))
}

func (f figures) String() string {
	return fmt.Sprintf(`
named server: %s; all attacks at once: %s (p99 at most %d ms)
memory: %s resident at most (limit %s), %s after a thousand servers (limit %s); with the kernel's part %s (it is killed at %s)
at the end: %s, %.0f s after the last attack
`,
		f.named, f.together, maxP99.Milliseconds(),
		f.most, bytesOf(maxRSS), f.thousand, bytesOf(maxThousand), f.group, bytesOf(memoryLimit),
		f.after, f.recovery.Seconds())
}

// judge says which limits the service did not keep.
func (f figures) judge() error {
	faults := f.memoryFaults()
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	least := minProbes
	if f.alone {
		least = 0
	}
	fault(f.named.areFew(least), "only %d requests for a named server ended within %.1f s, which is too few for a p99", f.named.n, f.named.within.Seconds())
	fault(f.together.areFew(least), "only %d requests for a named server ended within the %.1f s of all attacks at once, which is too few for a p99", f.together.n, f.together.within.Seconds())
	fault(f.named.p99 > maxP99, "the p99 of requests for a named server is %v, at most %v", f.named.p99, maxP99)
	fault(f.together.p99 > maxP99, "the p99 of requests for a named server is %v during all attacks at once, at most %v", f.together.p99, maxP99)
	fault(f.failed > 0, "%d requests for a named server failed; the first: %s", f.failed, f.failure)
	fault(f.before.Heap > f.fresh.Heap+maxCaches, "10,000 names leave %s in the heap, at most %s", f.before.Heap-f.fresh.Heap, bytesOf(maxCaches))
	fault(!isBefore(f.before, f.after), "at the end it does not hold what it held before: %s and then %s; at most %d goroutines, %d files and %s more",
		f.before, f.after, moreGoroutines, moreFiles, bytesOf(moreHeap))
	return errors.Join(faults...)
}

func (f figures) memoryFaults() (faults []error) {
	if f.killed {
		faults = append(faults, errKilled)
	}
	if f.most > maxRSS {
		faults = append(faults, fmt.Errorf("it used %s of resident memory, more than %s", f.most, bytesOf(maxRSS)))
	}
	if f.thousand > maxThousand {
		faults = append(faults, fmt.Errorf("after a thousand servers it used %s of resident memory, more than %s", f.thousand, bytesOf(maxThousand)))
	}
	return faults
}

func isBefore(before, after state) bool {
	return after.Heap <= before.Heap+moreHeap && after.Goroutines <= before.Goroutines+moreGoroutines && after.Files <= before.Files+moreFiles
}

func (s state) String() string {
	return fmt.Sprintf("%s resident, heap %s, %d goroutines, %d files", s.RSS, s.Heap, s.Goroutines, s.Files)
}
