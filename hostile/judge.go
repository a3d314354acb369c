//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// The service must keep these limits.
const (
	maxRSS = 120e6 // the bound for the service's resident memory at any time, in bytes
	// maxThousand bounds the service's resident memory in bytes at the end of an
	// attack in which the service asks a thousand servers. These servers send
	// large certificates or long errors.
	maxThousand = 80e6
	maxP99      = 250 * time.Millisecond
	// minProbes is the least number of requests for a useful p99. With fewer
	// requests, the p99 would be the time of the slowest request. A run with only
	// one attack may have fewer requests.
	minProbes = 100
	// maxCaches bounds the memory in bytes that the service may keep after it was
	// asked about 10,000 server names. The service's caches keep only 4,096 of
	// these names.
	maxCaches = 10e6
	// At the end of the run, the service may have this many more goroutines, open
	// files and bytes of heap than before the attacks. The measurement's own
	// connection, one request in progress and kept buffers can explain such a
	// difference.
	moreGoroutines = 10
	moreFiles      = 10
	moreHeap       = 2e6 // in bytes
	// settleTime bounds the time that the service may take to release its
	// resources after the attacks. Every 25 s, the service closes the connections
	// to strangers' servers that were unused for 50 s. So it closes the last one
	// after at most 75 s.
	settleTime = 80 * time.Second
)

// figures are what a run has measured.
type figures struct {
	// fresh is the service's state at the start. The field before is its state
	// with full caches. The field after is its state after all attacks.
	fresh, before, after state
	recovery             time.Duration

	// most is the peak resident memory of the run. group is the peak memory of the
	// service's Linux control group (cgroup), kernel memory included. thousand is
	// the largest resident memory at the end of an attack with a thousand servers.
	most, group, thousand bytesOf
	killed                bool
	alone                 bool // whether the run made only one attack

	// named summarizes all requests for users of the homeserver that the operator
	// named. together summarizes only the requests during the last attack, in which
	// all attacks with strangers' servers run at the same time.
	named, together times
	failed          int
	failure         string // why the first failed request failed
}

// times summarizes how long a number of requests took.
type times struct {
	p50, p99 time.Duration
	n        int
	within   time.Duration // the length of the period in which these n requests ended
}

// areFew reports whether there are too few requests to compute a p99. There are
// too few if their number is below least. There are also too few if the probe
// should have sent more than twice as many in the same period.
func (t times) areFew(least int) bool {
	return t.n < least || t.n < int(t.within/probeEvery)/2
}

func (t times) String() string {
	return fmt.Sprintf("%d requests, p50 %.1f ms, p99 %.1f ms", t.n, ms(t.p50), ms(t.p99))
}

func (f figures) String() string {
	return fmt.Sprintf(`
users of the named server: %s; during all attacks at once: %s (p99 at most %d ms)
memory: peak of %s resident (limit %s), %s resident after a thousand servers (limit %s); peak of %s with the kernel's memory for it (limit %s, where the kernel kills the service)
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
