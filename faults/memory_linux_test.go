package faults

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestMemory checks a process that keeps 20,000 leaves of participants in 200
// calls. The memory for each leave and the number of threads must stay below
// their limits.
func TestMemory(t *testing.T) {
	t.Parallel()
	heavy.Lock()
	defer heavy.Unlock()
	const jobs, warmup, perCall = 20_000, 500, 100
	const maxPerJob, maxThreads = 8 << 10, 64
	w := newWorld(t, "LIVEKIT_MAX_JOBS_PER_USER", "20000", "LIVEKIT_DELAYED_EVENT_RATE", "off",
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "60", "LIVEKIT_LOG_LEVEL", "info")
	s := w.start()
	fill := func(from, to int) {
		each(to-from, func(i int) {
			if _, err := w.enter(fmt.Sprint("call", (from+i)/perCall), time.Hour); err != nil {
				t.Errorf("enter: got %v, want no error", err)
			}
		})
		await(t, time.Minute, "that all are seen", func() bool { return w.homeserver.Asked("restart") >= to })
	}
	fill(0, warmup)
	before := s.proc(t, "VmRSS")
	fill(warmup, jobs)
	after, threads := s.proc(t, "VmRSS"), s.proc(t, "Threads")
	perJob := (after - before) << 10 / (jobs - warmup)
	t.Logf("%d kB with %d leaves, %d kB with %d: %d bytes for each; %d threads", before, warmup, after, jobs, perJob, threads)
	if perJob > maxPerJob || threads > maxThreads {
		t.Errorf("got %d bytes for each job and %d threads, want at most %d and %d", perJob, threads, maxPerJob, maxThreads)
	}
	for i, m := range w.all() {
		if i%100 == 0 {
			m.leave(broke)
		}
	}
	w.awaitSent(time.Minute)
}

// proc returns the number in the line of /proc/PID/status that begins with
// name.
func (s *service) proc(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(name + `:\s+(\d+)`).FindSubmatch(text)
	n, err := strconv.Atoi(string(number[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
