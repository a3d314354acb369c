package leavetest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Many returns the i-th of many delegations: 50 in a room, 4 of a user, with
// texts as long as in service that none shares with another, as they come from
// requests.
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

// hash is as long as the names in LiveKit are.
func hash(i int) string { return strings.Repeat("x", 35) + fmt.Sprintf("%08d", i) }

// BytesPerJob returns how much heap a store takes for each of so many
// connected jobs, a hundredth of them lent.
func BytesPerJob(tb testing.TB, jobs int, open func() leave.Store) float64 {
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
	runtime.GC() // what the first has set free of finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
