package leavetest

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/keeper"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Many returns the delegation with the number i. There are 50 delegations in each room,
// and 4 of each user. Room names, identities, user ids and delay ids have the same
// length as real ones.
func Many(tb testing.TB, i int, now time.Time) leave.Job {
	tb.Helper()
	user, err := matrix.ParseUserID(fmt.Sprintf("@somebody%d:matrix.example.org", i/4))
	if err != nil {
		tb.Fatal(err)
	}
	id, err := matrix.ParseDelayID(fmt.Sprintf("syd_%020d", i))
	if err != nil {
		tb.Fatal(err)
	}
	key := leave.Key{Room: sfu.Room(hash(i / 50)), Identity: sfu.Identity(hash(i))}
	return leave.New(key, user, id, time.Hour, now)
}

// hash returns a text with the length of LiveKit's room names. Each i gives another
// text.
func hash(i int) string { return strings.Repeat("x", 35) + fmt.Sprintf("%08d", i) }

// Callers is how many goroutines delegate at the same time in a benchmark.
const Callers = 64

// Delegations makes Callers goroutines delegate b.N leaves to a keeper with the store
// s. Each leave has a different participant. Delegations reports how many leaves the
// keeper accepts per second. It also reports this number divided by raw. The argument
// raw is how many writes per second the store's disk or server can make.
func Delegations(b *testing.B, s leave.Store, raw float64) {
	b.Helper()
	k := &keeper.Keeper{Store: s, Budget: &pace.Budget{}, Log: slog.New(slog.DiscardHandler)}
	limits := leave.Limits{PerUser: b.N, All: b.N}
	now := time.Now()
	jobs := make([]leave.Job, b.N)
	for i := range jobs {
		jobs[i] = Many(b, i, now)
	}
	b.ResetTimer()
	AtOnce(b.N, func(i int) {
		if err := k.Delegate(b.Context(), jobs[i], limits); err != nil {
			b.Error(err)
		}
	})
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "delegations/s")
	b.ReportMetric(rate/raw, "ratio")
}

// AtOnce calls the function do for each i from 0 to n-1, from Callers goroutines at the
// same time. It returns how many calls were made per second.
func AtOnce(n int, do func(i int)) (rate float64) {
	var next atomic.Int64
	var callers sync.WaitGroup
	begin := time.Now()
	for range Callers {
		callers.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				do(i - 1)
			}
		})
	}
	callers.Wait()
	return float64(n) / time.Since(begin).Seconds()
}

// BytesPerJob returns how many bytes of heap a store needs for each job. It puts as many
// jobs into the store as the argument jobs says. The participants of these jobs are
// connected. One in a hundred jobs has a lease.
func BytesPerJob(tb testing.TB, jobs int, open func() Store) float64 {
	tb.Helper()
	now := time.Now()
	before := heap()
	s := open()
	const batch = 500
	for i := 0; i < jobs; i += batch {
		var some []leave.Job
		for n := range batch {
			some = append(some, Many(tb, i+n, now).Joined(now, fmt.Sprintf("PA_%012d", i+n)))
		}
		if err := s.Merge(tb.Context(), some); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := s.Claim(tb.Context(), "holder", now, jobs/100); err != nil {
		tb.Fatal(err)
	}
	bytes := float64(heap()-before) / float64(jobs)
	runtime.KeepAlive(s)
	return bytes
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the first collection ran finalizers; this one frees their objects
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
