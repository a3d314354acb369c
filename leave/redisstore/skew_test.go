package redisstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	redisserver "github.com/alicebob/miniredis/v2/server"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
)

// skewed opens the store of a replica whose wall clock is wrong by the given time. It
// also returns the clock of this replica.
func skewed(t *testing.T, server *miniredis.Miniredis, off time.Duration) (*redisstore.Store, *clock.Clock) {
	t.Helper()
	var m clocktest.Machine
	m.Set(off)
	c := m.Clock()
	return openWith(t, redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Clock: c}), c
}

func near(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want); d < -2*time.Second || d > 2*time.Second {
		t.Errorf("%s: got a time that is wrong by %v by this replica's clock, want at most 2 s", what, d)
	}
}

func TestReplicasWithWrongClocks(t *testing.T) {
	server := miniredis.RunT(t)
	a, ahead := skewed(t, server, 3*time.Hour)
	b, behind := skewed(t, server, -40*time.Minute)
	job := delegation(t, "a", ahead.Now())
	put(t, a, job)

	onB := get(t, b, job.Key, nil)
	near(t, "AcceptedAt", onB.AcceptedAt, behind.Now())
	near(t, "NextRestart", onB.NextRestart, behind.Now().Add(job.NextRestart.Sub(job.AcceptedAt)))
	if onB.Over(behind.Now(), time.Time{}) != "" {
		t.Errorf("Over of a new job, read by another replica: got %q, want \"\"", onB.Over(behind.Now(), time.Time{}))
	}

	lent, err := b.Claim(t.Context(), "b", behind.Now().Add(5*time.Second), 1)
	if err != nil || len(lent) != 1 {
		t.Fatalf("Claim of what is due now: got %v, %v, want one job", lent, err)
	}
	near(t, "the end of the lease", lent[0].Lease.Until, behind.Now().Add(5*time.Second+job.LeaseTime()))
	if stolen, err := a.Claim(t.Context(), "a", ahead.Now().Add(5*time.Second), 1); err != nil || len(stolen) != 0 {
		t.Errorf("Claim by a clock that is ahead, while a lease lasts: got %v, %v, want none", stolen, err)
	}
	if taken, err := a.Claim(t.Context(), "a", ahead.Now().Add(20*time.Second), 1); err != nil || len(taken) != 1 {
		t.Errorf("Claim when the lease is over: got %v, %v, want one job", taken, err)
	}

	// The later of two delegations must count, even if the wall clocks of the replicas
	// differ.
	again := delegation(t, "a", behind.Now().Add(5*time.Second))
	again.DelayID = delegation(t, "b", time.Now()).DelayID
	if replaced, err := b.Put(t.Context(), again); err != nil || replaced == nil {
		t.Errorf("Put of a later delegation: got %v, %v, want the former job", replaced, err)
	}
}

// TestClockOfAReplicaJumps sets the wall clock of a replica. The times of jobs must not
// change.
func TestClockOfAReplicaJumps(t *testing.T) {
	server := miniredis.RunT(t)
	var m clocktest.Machine
	c := m.Clock()
	s := openWith(t, redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Clock: c})
	job := delegation(t, "a", c.Now())
	put(t, s, job)
	for _, jump := range []time.Duration{-time.Hour, time.Hour, time.Minute} {
		m.Set(jump)
		get(t, s, job.Key, nil)
		if got := get(t, s, job.Key, nil); !got.AcceptedAt.Equal(job.AcceptedAt.Truncate(time.Millisecond)) {
			t.Errorf("set by %v: AcceptedAt is %v, want exactly %v", jump, got.AcceptedAt, job.AcceptedAt)
		}
		if jobs, err := s.Claim(t.Context(), "holder", c.Now().Add(-time.Minute), 1); err != nil || len(jobs) > 0 {
			t.Errorf("set by %v: Claim of what is not due: got %v, %v, want none", jump, jobs, err)
		}
	}
	if jobs, err := s.Claim(t.Context(), "holder", c.Now(), 1); err != nil || len(jobs) != 1 {
		t.Errorf("Claim of what is due: got %v, %v, want one job", jobs, err)
	}
}

// TestClockOfRedisJumps sets the clock of Redis. No job may be due too early or too
// late. This must hold for all replicas, even for a replica that starts later.
func TestClockOfRedisJumps(t *testing.T) {
	for _, jump := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		t.Run(fmt.Sprintf("by %v", jump), func(t *testing.T) {
			server := miniredis.RunT(t)
			a, b := open(t, "redis://"+server.Addr()), open(t, "redis://"+server.Addr())
			job := delegation(t, "a", time.Now())
			put(t, a, job)
			get(t, b, job.Key, nil)
			server.SetTime(time.Now().Add(jump))
			hasNotJumped := func(s *redisstore.Store) {
				got := get(t, s, job.Key, nil)
				near(t, "AcceptedAt", got.AcceptedAt, time.Now())
				if jobs, err := s.Claim(t.Context(), "holder", time.Now().Add(-10*time.Second), 1); err != nil || len(jobs) > 0 {
					t.Errorf("Claim of what is not due: got %v, %v, want none", jobs, err)
				}
			}
			hasNotJumped(redisstore.Settled(a))
			hasNotJumped(redisstore.Settled(b))
			hasNotJumped(open(t, "redis://"+server.Addr()))
			hasNotJumped(a)
			put(t, b, delegation(t, "b", time.Now()))
			if jobs, err := a.Claim(t.Context(), "holder", time.Now(), 2); err != nil || len(jobs) != 2 {
				t.Errorf("Claim of what is due: got %v, %v, want two jobs", jobs, err)
			}
		})
	}
}

// TestNotAfter has a server that runs commands only after their callers have given up.
// These commands must do nothing.
func TestNotAfter(t *testing.T) {
	server := miniredis.RunT(t)
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must("redis://" + server.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := delegation(t, "kept", time.Now())
	put(t, s, kept)
	kept = get(t, s, kept.Key, nil)

	release := hold(server)
	changed := kept
	changed.Session = "PA_1"
	late := lag.Measure(t)
	var calls sync.WaitGroup
	for what, call := range map[string]func() error{
		"Put":    func() error { _, err := s.Put(t.Context(), delegation(t, "late", time.Now())); return err },
		"Save":   func() error { _, err := s.Save(t.Context(), changed); return err },
		"Delete": func() error { return s.Delete(t.Context(), kept) },
		"Merge":  func() error { return s.Merge(t.Context(), []leave.Job{changed}) },
		"Claim":  func() error { _, err := s.Claim(t.Context(), "holder", time.Now().Add(time.Hour), 1); return err },
	} {
		t.Run(what, func(t *testing.T) {
			calls.Go(func() {
				begin := time.Now()
				if err := call(); err == nil {
					t.Errorf("%s at a server that hangs: got no error, want one", what)
				}
				if took := time.Since(begin); took > 2*time.Second+late() {
					t.Errorf("%s at a server that hangs took %v, want at most %v", what, took, 2*time.Second+late())
				}
			})
		})
	}
	calls.Wait()
	release()
	eventually(t, func() error { _, err := s.Count(t.Context(), kept.User); return err })
	if got := get(t, s, kept.Key, nil); got.Version != kept.Version {
		t.Errorf("the late commands had an effect: got version %d, want %d", got.Version, kept.Version)
	}
	get(t, s, delegation(t, "late", time.Now()).Key, leave.ErrNotFound)
}

// hold makes the server wait before each command until release is called.
func hold(server *miniredis.Miniredis) (release func()) {
	open := make(chan struct{})
	server.Server().SetPreHook(func(*redisserver.Peer, string, ...string) bool {
		<-open
		return false
	})
	return func() { close(open) }
}
