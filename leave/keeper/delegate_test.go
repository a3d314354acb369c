package keeper_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

var many = leave.Limits{PerUser: 100, All: 1000}

// accepting returns a world (test set-up) and its store. The keeper accepts
// delegations, but it does not work on jobs.
func accepting(t *testing.T) (*world, *oddStore) {
	w := newWorld(t)
	w.stop()
	<-w.ended
	s := &oddStore{Store: memstore.New()}
	w.store, w.keeper.Store = s, s
	return w, s
}

// another returns a delegation of the user alice. Different numbers n give different
// participants.
func another(t *testing.T, n int, delay time.Duration) leave.Job {
	t.Helper()
	k := leave.Key{Room: "room", Identity: sfu.Identity(fmt.Sprint("of ", n))}
	return leave.New(k, user(t), delayID(t, fmt.Sprint("d", n)), delay, time.Now())
}

func owned(t *testing.T, job leave.Job, owner string) leave.Job {
	t.Helper()
	id, err := matrix.ParseUserID(owner)
	if err != nil {
		t.Fatal(err)
	}
	job.User = id
	return job
}

// wantLimit delegates job, and checks that the given limit refuses it. If limit is "",
// no limit may refuse it.
func (w *world) wantLimit(limit string, job leave.Job, limits leave.Limits) {
	w.t.Helper()
	err := w.keeper.Delegate(w.t.Context(), job, limits)
	var over *leave.LimitError
	switch {
	case limit == "" && err != nil:
		w.t.Errorf("Delegate(%s): got %v, want no error", job.DelayID, err)
	case limit != "" && (!errors.As(err, &over) || over.Limit != limit || over.Setting == ""):
		w.t.Errorf("Delegate(%s): got %v, want the limit %q with a setting", job.DelayID, err, limit)
	case limit != "":
		if stored, err := w.store.Get(w.t.Context(), job.Key); err == nil && stored.DelayID == job.DelayID {
			w.t.Errorf("Delegate(%s) refused the leave, but it is stored", job.DelayID)
		}
	}
}

func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, _ := accepting(t)
		limits := leave.Limits{PerUser: 2, All: 4}
		bobs := func(n int) leave.Job { return owned(t, another(t, n, long), "@bob:example.org") }
		w.wantLimit("", another(t, 1, long), limits)
		w.wantLimit("", another(t, 2, long), limits)
		w.wantLimit("user", another(t, 3, long), limits)
		w.wantLimit("", bobs(4), limits)
		w.wantLimit("", bobs(5), limits)
		w.wantLimit("user", bobs(6), limits)
		w.wantLimit("all", owned(t, another(t, 7, long), "@carol:example.org"), limits)

		time.Sleep(time.Second)
		again := another(t, 1, long)
		again.DelayID = delayID(t, "again")
		w.wantLimit("", again, limits) // a replacement adds no job
		taken := another(t, 5, long)
		taken.DelayID = delayID(t, "taken") // this would replace bob's job and be alice's third job
		w.wantLimit("user", taken, limits)
	})
}

func TestLimitOfAHomeserver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const shortest, longer = 500 * time.Millisecond, 24 * time.Hour
		w, _ := accepting(t)
		w.keeper.Budget = &pace.Budget{Rate: 1}
		w.wantLimit("", another(t, 1, long), many)
		w.wantLimit("homeserver", another(t, 2, shortest), many)
		for n := range 10 {
			w.wantLimit("", another(t, 10+n, long), many)
		}
		again := func(id string, delay time.Duration) leave.Job {
			time.Sleep(time.Second)
			job := another(t, 1, delay)
			job.DelayID = delayID(t, id)
			return job
		}
		w.wantLimit("homeserver", again("shorter", shortest), many)

		// When the keeper has accepted the jobs, the rate falls. It is now too low for
		// these jobs.
		w.keeper.Budget = &pace.Budget{Rate: 0.001}
		w.wantLimit("homeserver", another(t, 3, long), many)
		w.wantLimit("", again("as long", long), many)
		w.wantLimit("", again("longer", longer), many)
		w.wantLimit("homeserver", again("as before", long), many)
		w.wantLimit("", owned(t, another(t, 4, long), "@bob:example.com"), many)
	})
}

// TestShareOfAUser checks that one user cannot use up the requests that a homeserver
// allows. When the keeper accepts no more leaves of that user, it must still accept one
// leave with a usual delay from another user.
func TestShareOfAUser(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		delay time.Duration
		most  int // how many jobs the first user may have
	}{
		{10, leave.MinDelay, 1}, {10, 18 * time.Second, 38}, {10, long, 100},
		{1, leave.MinDelay, 0}, {1, 18 * time.Second, 3}, {1, long, 100},
	} {
		t.Run(fmt.Sprint(c.rate, c.delay), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, _ := accepting(t)
				w.keeper.Budget = &pace.Budget{Rate: c.rate}
				limit := "homeserver"
				if c.most == 100 {
					limit = "user"
				}
				for n := range c.most {
					w.wantLimit("", another(t, n, c.delay), leave.Limits{PerUser: 100, All: 1000})
				}
				w.wantLimit(limit, another(t, c.most, c.delay), leave.Limits{PerUser: 100, All: 1000})
				w.wantLimit("", owned(t, another(t, 1000, 18*time.Second), "@bob:example.org"), many)
			})
		})
	}
}

func TestNoLimitOfAHomeserver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, _ := accepting(t) // this keeper's budget does not limit requests
		for n := range 50 {
			w.wantLimit("", another(t, n, leave.MinDelay), many)
		}
	})
}

// TestLimitOfAUserIsExact has a slow store and a user who is near the limit. The user
// delegates fifty leaves at the same time, and must get exactly as many jobs as the
// limit allows. Other users must not wait.
func TestLimitOfAUserIsExact(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		s.before = taking(time.Millisecond)
		limits := leave.Limits{PerUser: 10, All: 1000}
		for n := range 7 {
			w.wantLimit("", another(t, n, long), limits)
		}
		var refused atomic.Int32
		var callers sync.WaitGroup
		for n := range 50 {
			callers.Go(func() {
				var over *leave.LimitError
				if err := w.keeper.Delegate(t.Context(), another(t, 100+n, long), limits); errors.As(err, &over) {
					refused.Add(1)
				} else if err != nil {
					t.Errorf("Delegate of job %d: got %v, want no error or a %T", 100+n, err, over)
				}
			})
		}
		others := time.Now()
		w.wantLimit("", owned(t, another(t, 1000, long), "@bob:example.org"), limits)
		if took := time.Since(others); took != 3*time.Millisecond {
			t.Errorf("another user: got a wait of %v, want 3 ms", took)
		}
		callers.Wait()
		counts, err := s.Store.Count(t.Context(), user(t))
		if err != nil || counts.OfUser != 10 || refused.Load() != 47 {
			t.Errorf("got %d jobs and %d refusals (%v), want 10 and 47", counts.OfUser, refused.Load(), err)
		}
	})
}

// TestASecondInAll checks that no caller of Delegate waits for more than a second, even
// with a slow store. A delegation may fail only if the store has not answered in time.
func TestASecondInAll(t *testing.T) {
	for _, each := range []time.Duration{0, 250 * time.Millisecond, 400 * time.Millisecond, time.Hour} {
		t.Run(each.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, s := accepting(t)
				s.before = taking(each)
				var callers sync.WaitGroup
				for n := range 20 {
					callers.Go(func() {
						begin := time.Now()
						job := owned(t, another(t, n, long), fmt.Sprintf("@u%d:example.org", n/2))
						err := w.keeper.Delegate(t.Context(), job, many)
						took := time.Since(begin)
						if took > time.Second {
							t.Errorf("Delegate took %v, want at most 1 s", took)
						}
						if inTime := 3*each < time.Second; (err == nil) != inTime {
							t.Errorf("Delegate: got %v after %v, want no error: %t", err, took, inTime)
						}
						begin = time.Now()
						report := sfu.Event{Kind: sfu.KindJoined, Room: job.Room, Identity: job.Identity, Session: "S1"}
						if _ = w.keeper.Report(t.Context(), report); time.Since(begin) > time.Second {
							t.Errorf("Report took %v, want at most 1 s", time.Since(begin))
						}
					})
				}
				callers.Wait()
			})
		})
	}
}

// TestShareOfAHomeserver checks the limit of a homeserver that is not in the operator's
// configuration. However many users it invents, it gets at most a quarter of all jobs.
// A homeserver in the configuration has no such limit.
func TestShareOfAHomeserver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, _ := accepting(t)
		limits := leave.Limits{PerUser: 100, All: 8, Named: func(s matrix.ServerName) bool { return s.String() == "example.org" }}
		stranger := func(n int) leave.Job {
			return owned(t, another(t, n, long), fmt.Sprintf("@user%d:stranger.example", n))
		}
		w.wantLimit("", stranger(0), limits)
		w.wantLimit("", stranger(1), limits)
		w.wantLimit("share", stranger(2), limits)
		w.wantLimit("share", owned(t, another(t, 3, long), "@user0:stranger.example"), limits)
		w.wantLimit("", stranger(1), limits) // to delegate the same leave again adds no job
		w.wantLimit("", owned(t, another(t, 4, long), "@user:other.example"), limits)
		for n := range 5 {
			w.wantLimit("", another(t, 10+n, long), limits)
		}
		w.wantLimit("all", another(t, 20, long), limits)
		w.wantLimit("share", stranger(5), limits)

		taken := owned(t, another(t, 10, long), "@user9:stranger.example")
		taken.AcceptedAt = taken.AcceptedAt.Add(time.Second)
		taken.DelayID = delayID(t, "taken")
		w.wantLimit("share", taken, limits)
		limits.Named = nil
		w.wantLimit("", taken, limits)
	})
}
