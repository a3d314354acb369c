package filestore

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
)

// BenchmarkPut stores new jobs from 1 and from 64 callers at once, beside what
// the disk itself does: lines written and synced one after the other.
func BenchmarkPut(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			raw := rawRate(b)
			s := benched(b, filepath.Join(b.TempDir(), "leaves.db"))
			var n atomic.Int64
			b.SetParallelism(callers) // times GOMAXPROCS
			b.ReportAllocs()
			b.ResetTimer()
			start := time.Now()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					put(b, s, int(n.Add(1)))
				}
			})
			rate := float64(b.N) / time.Since(start).Seconds()
			b.ReportMetric(rate, "puts/s")
			b.ReportMetric(rate/raw, "puts/fsync")
		})
	}
}

func benched(b *testing.B, path string) *Store {
	b.Helper()
	s, err := Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// rawRate is how often in a second a line can be written and synced.
func rawRate(b *testing.B) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	one, err := seal(1, record{Jobs: []leave.Job{job(b, 1)}})
	if err != nil {
		b.Fatal(err)
	}
	start, n := time.Now(), 0
	for ; time.Since(start) < 500*time.Millisecond; n++ {
		if _, err := f.Write(one); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkOpen opens a file with many jobs.
func BenchmarkOpen(b *testing.B) {
	const many = 100_000
	path := filepath.Join(b.TempDir(), "leaves.db")
	s := benched(b, path)
	all := make([]leave.Job, many)
	for n := range all {
		all[n] = job(b, n)
	}
	if err := s.Merge(context.Background(), all); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		benched(b, path).Close()
	}
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/many, "file-B/job")
	}
}
