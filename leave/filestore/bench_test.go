package filestore

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
)

// BenchmarkDelegate measures how many delegations per second the store accepts from
// many callers. For comparison, it also measures how many lines per second the disk
// writes without the store. In this comparison it syncs after each group of lines, one
// for each caller.
func BenchmarkDelegate(b *testing.B) {
	for name, store := range map[string]func(*Store) leave.Store{
		"alone":   func(s *Store) leave.Store { return s },
		"standby": func(s *Store) leave.Store { return guarded(b, s) },
	} {
		b.Run(name, func(b *testing.B) {
			raw := rawRate(b, leavetest.Callers)
			leavetest.Delegations(b, store(benched(b, filepath.Join(b.TempDir(), "leaves.db"))), raw)
		})
	}
}

// BenchmarkPut stores one job after another. Each call waits until the job is on the
// disk.
func BenchmarkPut(b *testing.B) {
	raw := rawRate(b, 1)
	s := benched(b, filepath.Join(b.TempDir(), "leaves.db"))
	n := 0
	for b.Loop() {
		n++
		put(b, s, n)
	}
	rate := float64(n) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "puts/s")
	b.ReportMetric(rate/raw, "ratio")
}

func benched(b *testing.B, path string) *Store {
	b.Helper()
	s, err := Open(context.Background(), path, clock.New(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// rawRate measures how many lines the bare disk can write in a second. The argument
// together is how many lines it writes before each sync.
func rawRate(b *testing.B, together int) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	one, err := seal(1, record{Jobs: []leave.Job{leavetest.Many(b, 1, begin)}})
	if err != nil {
		b.Fatal(err)
	}
	group := bytes.Repeat(one, together)
	start, n := time.Now(), 0
	for ; time.Since(start) < time.Second; n += together {
		if _, err := f.Write(group); err != nil {
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
