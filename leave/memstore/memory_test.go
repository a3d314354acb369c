package memstore_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// mostBytes is the budget of heap for a job; its texts are 200 of them.
const mostBytes = 600

// connected returns the i-th of many jobs: 50 in a room, 4 of a user, none
// sharing its texts, as they come from requests.
func connected(tb testing.TB, i int, now time.Time) leave.Job {
	user, err := matrix.ParseUserID(fmt.Sprintf("@somebody%d:matrix.example.org", i/4))
	if err != nil {
		tb.Fatal(err)
	}
	id, err := matrix.ParseDelayID(fmt.Sprintf("syd_%020d", i))
	if err != nil {
		tb.Fatal(err)
	}
	key := leave.Key{Room: sfu.Room(hash(i / 50)), Identity: sfu.Identity(hash(i))}
	return leave.New(key, user, id, time.Hour, now).Joined(now, fmt.Sprintf("PA_%012d", i))
}

// hash is as long as the names in LiveKit are.
func hash(i int) string { return strings.Repeat("x", 35) + fmt.Sprintf("%08d", i) }

func filled(tb testing.TB, jobs int, now time.Time) *memstore.Store {
	s := memstore.New()
	for i := range jobs {
		job := connected(tb, i, now)
		if _, err := s.Put(tb.Context(), job); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// bytesPerJob measures the heap of a store, lent jobs and claimed rooms
// included.
func bytesPerJob(tb testing.TB, jobs int) float64 {
	now := time.Now()
	before := heap()
	s := filled(tb, jobs, now)
	if _, err := s.Claim(tb.Context(), "holder", now, jobs/100); err != nil {
		tb.Fatal(err)
	}
	bytes := float64(heap()-before) / float64(jobs)
	runtime.KeepAlive(s)
	return bytes
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemory(t *testing.T) {
	if got := bytesPerJob(t, 100_000); got > mostBytes {
		t.Errorf("%.0f bytes of heap for a job, want at most %d", got, mostBytes)
	}
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPerJob(b, 100_000), "heap-B/job")
	}
}

// BenchmarkClaim claims one of many jobs and gives it back, to be due again
// after all others.
func BenchmarkClaim(b *testing.B) {
	for _, jobs := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			now := time.Now()
			s := filled(b, jobs, now)
			round := time.Duration(jobs) * time.Millisecond
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Millisecond)
				claimed, err := s.Claim(b.Context(), "holder", now, 1)
				if err != nil || len(claimed) != 1 {
					b.Fatal(claimed, err)
				}
				job := claimed[0]
				job.Lease, job.NextRestart = leave.Lease{}, now.Add(round)
				if _, err := s.Save(b.Context(), job); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPut stores new jobs; making them is in the numbers.
func BenchmarkPut(b *testing.B) {
	s := memstore.New()
	now, n := time.Now(), 0
	for b.Loop() {
		n++
		if _, err := s.Put(b.Context(), connected(b, n, now)); err != nil {
			b.Fatal(err)
		}
	}
}
