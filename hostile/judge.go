//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// The service must keep these limits.
const (
	maxRSS = 120e6 // the most resident memory at any time, in bytes
	// maxThousand bounds the resident memory in bytes after an attack that makes
	// the service ask a thousand servers. These servers send large certificates
	// or long errors.
	maxThousand = 80e6
	maxP99      = 250 * time.Millisecond
	// minProbes is the least number of requests from which a p99 is computed.
	// With fewer requests, the p99 would be the time of the slowest request. If
	// the run makes only one attack, fewer requests are enough.
	minProbes = 100
	// maxCaches bounds the memory in bytes that the service may keep after it was
	// asked about 10,000 server names. The service's caches keep 4,096 of these
	// names.
	maxCaches = 10e6
	// At the end of the run, the service may hold this much more than before the
	// attacks. The measurement's own connection, one request in progress and kept
	// buffers can take that much.
	moreGoroutines = 10
	moreFiles      = 10
	moreHeap       = 2e6 // in bytes
	// settleTime bounds how long the service may take after the attacks to
	// release what it used. The service keeps a connection to a stranger's server
	// for 50 s after its last use, and looks every 25 s for connections to close.
	settleTime = 80 * time.Second
)

// figures are what a run has measured.
type figures struct {
	// fresh is the state at the start, before is the state with full caches, and
	// after is the state after all attacks.
	fresh, before, after state
	recovery             time.Duration

	// most is the most resident memory of the run. group is the most memory of the
	// control group, which includes memory of the kernel. thousand is the most
	// resident memory after an attack with a thousand servers.
	most, group, thousand bytesOf
	killed                bool
	alone                 bool // whether the run made only one attack

	// named summarizes all requests for the named server. together summarizes those
	// during the last attack, which makes all attacks with strangers' servers at
	// once.
	named, together times
	failed          int
	failure         string // why the first failed request failed
}

// times summarizes how long a number of requests took.
type times struct {
	p50, p99 time.Duration
	n        int
	within   time.Duration // the length of the period in which the requests ended
}

// areFew reports whether there are too few requests for a p99. That is so if
// there are fewer than least, or fewer than half of those that the probe sends
// in the period.
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

// judge returns an error that names each limit that the service exceeded. It
// returns nil if the service kept all limits.
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
	fault(f.named.p99 > maxP99, "the p99 of requests for a named server is %v, want at most %v", f.named.p99, maxP99)
	fault(f.together.p99 > maxP99, "the p99 of requests for a named server is %v during all attacks at once, want at most %v", f.together.p99, maxP99)
	fault(f.failed > 0, "%d requests for a named server failed; the first: %s", f.failed, f.failure)
	fault(f.before.Heap > f.fresh.Heap+maxCaches, "10,000 names leave %s in the heap, want at most %s", f.before.Heap-f.fresh.Heap, bytesOf(maxCaches))
	fault(!isBefore(f.before, f.after), "at the end the service holds too much: %s before the attacks, %s after; want at most %d goroutines, %d files and %s more",
		f.before, f.after, moreGoroutines, moreFiles, bytesOf(moreHeap))
	return errors.Join(faults...)
}

func (f figures) memoryFaults() (faults []error) {
	if f.killed {
		faults = append(faults, errKilled)
	}
	if f.most > maxRSS {
		faults = append(faults, fmt.Errorf("the service used %s of resident memory, want at most %s", f.most, bytesOf(maxRSS)))
	}
	if f.thousand > maxThousand {
		faults = append(faults, fmt.Errorf("after a thousand servers the service used %s of resident memory, want at most %s", f.thousand, bytesOf(maxThousand)))
	}
	return faults
}

func isBefore(before, after state) bool {
	return after.Heap <= before.Heap+moreHeap && after.Goroutines <= before.Goroutines+moreGoroutines && after.Files <= before.Files+moreFiles
}

func (s state) String() string {
	return fmt.Sprintf("%s resident, heap %s, %d goroutines, %d files", s.RSS, s.Heap, s.Goroutines, s.Files)
}
