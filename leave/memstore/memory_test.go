package memstore_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
)

// mostBytes is how many bytes of heap the store may need for a job. The job's texts
// take 200 of these bytes.
const mostBytes = 600

// filled returns a store with the given number of jobs. The argument now is when their
// participants joined.
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

// bytesPerJob measures how many bytes of heap a store needs for each job.
func bytesPerJob(tb testing.TB) float64 {
	return leavetest.BytesPerJob(tb, 100_000, func() leavetest.Store { return memstore.New() })
}

func TestMemory(t *testing.T) {
	if got := bytesPerJob(t); got > mostBytes {
		t.Errorf("a job needs %.0f bytes of heap, want at most %d", got, mostBytes)
	}
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPerJob(b), "heap-B/job")
	}
}

// BenchmarkClaim claims one of many jobs and saves it. After that, the job is due later
// than all other jobs.
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

// BenchmarkPut stores new jobs. The measured time includes the making of the jobs.
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

// BenchmarkDelegate measures how many delegations per second the store accepts. For
// comparison, it also measures bare calls of Put.
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
