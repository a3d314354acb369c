package memstore_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
)

// mostBytes is the budget of heap for a job; its texts are 200 of them.
const mostBytes = 600

func filled(tb testing.TB, jobs int, now time.Time) *memstore.Store {
	s := memstore.New()
	for i := range jobs {
		job := leavetest.Many(tb, i, now).Joined(now, fmt.Sprintf("PA_%012d", i))
		if _, err := s.Put(tb.Context(), job); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// bytesPerJob measures the heap of a store.
func bytesPerJob(tb testing.TB) float64 {
	return leavetest.BytesPerJob(tb, 100_000, func() leavetest.Store { return memstore.New() })
}

func TestMemory(t *testing.T) {
	if got := bytesPerJob(t); got > mostBytes {
		t.Errorf("%.0f bytes of heap for a job, want at most %d", got, mostBytes)
	}
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPerJob(b), "heap-B/job")
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
					b.Fatalf("Claim of 1 = %v, %v, want one job", claimed, err)
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
		if _, err := s.Put(b.Context(), leavetest.Many(b, n, now)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDelegate accepts delegations, beside puts that ask nothing before.
func BenchmarkDelegate(b *testing.B) {
	const puts = 100_000
	now := time.Now()
	var jobs []leave.Job
	for i := range puts {
		jobs = append(jobs, leavetest.Many(b, i, now))
	}
	bare := memstore.New()
	raw := leavetest.AtOnce(puts, func(i int) {
		if _, err := bare.Put(b.Context(), jobs[i]); err != nil {
			b.Errorf("Put: got %v, want no error", err)
		}
	})
	leavetest.Delegations(b, memstore.New(), raw)
}
