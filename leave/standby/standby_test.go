package standby_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/standby"
)

// soon is how long the Store may take at most to merge all changes after a fault has
// ended.
const soon = 3 * time.Second

// faults are the kinds of fault that make every call of the store fail. So an outage
// begins at the first call.
var faults = map[string]fault{"fails": fails, "hangs": hangs, "sleeps": sleeps, "mute": mute}

// eachFault runs test in virtual time, once for each of faults.
func eachFault(t *testing.T, test func(t *testing.T, behind *faulty, what fault)) {
	for name, what := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newFaulty(), what) })
		})
	}
}

func TestGoesOn(t *testing.T) {
	eachFault(t, func(t *testing.T, behind *faulty, what fault) {
		s := open(t, behind)
		before := job(t, "before")
		put(t, s, before)
		began := time.Now()
		wantDegraded(t, s, false)

		behind.set(what)
		first := time.Second
		if what == fails {
			first = 0
		}
		time.Sleep(time.Minute)
		took(t, "the first call", first, func() { put(t, s, job(t, "first")) })
		status := wantDegraded(t, s, true)
		if !status.Since.Equal(began.Add(time.Minute+first)) || status.Cause == nil {
			t.Errorf("Status: got %+v, want Since to be now, and a cause", status)
		} else if len(status.Cause.Error()) > 200 || strings.Contains(status.Cause.Error(), "\n") || errors.Is(status.Cause, errFails) {
			t.Errorf("Status.Cause is %.300q of the type %T, want one line of at most 200 bytes that does not wrap the store's error", status.Cause, status.Cause)
		}
		took(t, "what follows", 0, func() {
			put(t, s, job(t, "second"))
			write(t, s, get(t, s, before.Key), restarted)
			if jobs, err := s.Claim(t.Context(), "holder", time.Now(), 10); err != nil || len(jobs) != 3 {
				t.Errorf("Claim: got %v, %v, want all three jobs", jobs, err)
			}
			if n, err := s.Count(t.Context(), before.User); n.All != 3 || n.OfUser != 3 || err != nil {
				t.Errorf("Count: got %+v, %v, want 3 of 3", n, err)
			}
			if jobs, err := s.Room(t.Context(), before.Room); err != nil || len(jobs) != 1 {
				t.Errorf("Room: got %v, %v, want one job", jobs, err)
			}
		})
		if status := s.Status(); status.Copies != 3 || status.Accepted != 2 || status.Unmerged != 3 {
			t.Errorf("Status: got %+v, want 3 copies, 2 accepted and 3 unmerged", status)
		}
		restartedAt := get(t, s, before.Key).Restarted
		time.Sleep(time.Minute)
		wantDegraded(t, s, true)

		behind.set(none)
		time.Sleep(soon)
		if status := wantDegraded(t, s, false); status.Outages != 1 || status.Merged != 3 || status.Unmerged != 0 || status.Cause != nil {
			t.Errorf("Status: got %+v, want 1 outage, 3 merged, 0 unmerged and no cause", status)
		}
		for _, name := range []string{"before", "first", "second"} {
			get(t, behind.Store, job(t, name).Key)
		}
		if got := get(t, behind.Store, before.Key).Restarted; !got.Equal(restartedAt) {
			t.Errorf("Restarted is %v, want %v", got, restartedAt)
		}
	})
}

// TestFirstCall has a store that stops answering. For each method, the test makes one
// call. Although this is the first call without an answer, the Store must answer it
// from memory.
func TestFirstCall(t *testing.T) {
	calls := map[string]func(t *testing.T, s *standby.Store, j leave.Job) error{
		"Put":    func(t *testing.T, s *standby.Store, j leave.Job) error { put(t, s, job(t, "new")); return nil },
		"Get":    func(t *testing.T, s *standby.Store, j leave.Job) error { get(t, s, j.Key); return nil },
		"Save":   func(t *testing.T, s *standby.Store, j leave.Job) error { write(t, s, j, restarted); return nil },
		"Delete": func(t *testing.T, s *standby.Store, j leave.Job) error { end(t, s, j); return nil },
		"Claim": func(t *testing.T, s *standby.Store, j leave.Job) error {
			_, err := s.Claim(t.Context(), "h", time.Now(), 1)
			return err
		},
		"ClaimRooms": func(t *testing.T, s *standby.Store, j leave.Job) error {
			_, err := s.ClaimRooms(t.Context(), time.Now(), 1, 1)
			return err
		},
		"Room": func(t *testing.T, s *standby.Store, j leave.Job) error {
			_, err := s.Room(t.Context(), j.Room)
			return err
		},
		"Rooms": func(t *testing.T, s *standby.Store, j leave.Job) error { _, err := s.Rooms(t.Context()); return err },
		"Count": func(t *testing.T, s *standby.Store, j leave.Job) error {
			_, err := s.Count(t.Context(), j.User)
			return err
		},
		"Merge": func(t *testing.T, s *standby.Store, j leave.Job) error {
			return s.Merge(t.Context(), []leave.Job{job(t, "m")})
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			eachFault(t, func(t *testing.T, behind *faulty, what fault) {
				s := open(t, behind)
				put(t, s, job(t, "a"))
				j := get(t, s, job(t, "a").Key)
				behind.set(what)
				first := time.Second
				if what == fails {
					first = 0
				}
				took(t, name, first, func() {
					if err := call(t, s, j); err != nil {
						t.Errorf("%s: got %v, want no error", name, err)
					}
				})
				wantDegraded(t, s, true)
				behind.set(none)
				time.Sleep(soon)
				wantDegraded(t, s, false)
				_, err := behind.Store.Get(t.Context(), j.Key)
				if ended := err != nil; ended != (name == "Delete") {
					t.Errorf("after %s: the store has the job: %v, want %v", name, !ended, name != "Delete")
				}
			})
		})
	}
}

// TestAnswersAreNoFaults checks errors like ErrConflict, with which a store that works
// refuses a call. After such an error, the Store must not begin an outage.
func TestAnswersAreNoFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newFaulty())
		_, err := s.Get(t.Context(), job(t, "a").Key)
		wantErr(t, "Get", err, leave.ErrNotFound)
		put(t, s, job(t, "a"))
		_, err = s.Put(t.Context(), delegated(t, "a", "b", time.Now().Add(-time.Hour)))
		wantErr(t, "Put", err, leave.ErrSuperseded)
		_, err = s.Save(t.Context(), job(t, "a"))
		wantErr(t, "Save", err, leave.ErrConflict)
		wantDegraded(t, s, false)
	})
}

func TestUnknownInOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, behind.Store, job(t, "elsewhere"))
		behind.set(fails)
		_, err := s.Get(t.Context(), job(t, "elsewhere").Key)
		wantErr(t, "Get", err, leave.ErrNotFound)
		wantErr(t, "Get", err, leave.ErrAway)
	})
}

func TestCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Put(gone, job(t, "a")); err != nil {
			t.Errorf("Put for a caller that is gone: got %v, want no error", err)
		}
		wantDegraded(t, s, false)
		get(t, behind.Store, job(t, "a").Key)

		behind.set(hangs)
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		took(t, "two calls with one deadline", 300*time.Millisecond, func() {
			if _, err := s.Get(short, job(t, "a").Key); err != nil {
				t.Errorf("Get: got %v, want no error", err)
			}
			if _, err := s.Put(short, job(t, "b")); err != nil {
				t.Errorf("Put: got %v, want no error", err)
			}
		})
	})
}
