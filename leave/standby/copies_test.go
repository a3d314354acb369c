package standby_test

import (
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
)

func TestCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		other := open(t, behind)
		put(t, s, job(t, "accepted"))
		put(t, other, job(t, "claimed"))
		put(t, other, job(t, "reported"))
		put(t, other, job(t, "only read"))
		claimed, err := s.Claim(t.Context(), "s", time.Now(), 3)
		if err != nil || len(claimed) != 3 {
			t.Fatalf("Claim: got %v, %v, want three jobs", claimed, err)
		}
		for _, j := range claimed {
			write(t, s, j, func(j leave.Job) leave.Job {
				j.Lease = leave.Lease{}
				return j.Joined(time.Now(), "PA_1").RestartDone(time.Now(), 48*time.Minute)
			})
		}
		copies := func() int { return s.Status().Copies }
		get(t, s, job(t, "only read").Key)
		if n := copies(); n != 3 {
			t.Errorf("got %d copies, want 3: those of the jobs that this process worked on", n)
		}
		// The store behind s shows that another replica works on one of the jobs. That
		// does not change the copy in s, so the copy becomes overdue.
		done := claimed[0]
		for range 4 {
			time.Sleep(40 * time.Minute)
			j := get(t, behind.Store, done.Key)
			save(t, behind.Store, restarted(j))
			tick(t, s)
		}
		if n := copies(); n != 0 {
			t.Errorf("got %d copies, want 0: all are overdue by a period", n)
		}
	})
}

// tick makes ten claims, as a keeper does. In each claim, the Store checks some of its
// copies (sweepSome).
func tick(t *testing.T, s leave.Store) {
	t.Helper()
	for range 10 {
		if _, err := s.Claim(t.Context(), "holder", time.Now(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCopiesAreRefreshed has a job that another replica has changed. If the Store reads
// the job, it must update its copy.
func TestCopiesAreRefreshed(t *testing.T) {
	for name, read := range map[string]func(t *testing.T, s leave.Store, j leave.Job){
		"by Get":  func(t *testing.T, s leave.Store, j leave.Job) { get(t, s, j.Key) },
		"by Room": func(t *testing.T, s leave.Store, j leave.Job) { s.Room(t.Context(), j.Room) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				behind := newFaulty()
				s := open(t, behind)
				j := job(t, "a")
				put(t, s, j)
				time.Sleep(time.Second)
				put(t, behind.Store, delegated(t, "a", "later", time.Now()))
				read(t, s, j)
				behind.set(fails)
				if got := get(t, s, j.Key); got.DelayID.String() != "later" {
					t.Errorf("the copy: got the delay id %q, want later", got.DelayID)
				}
			})
		})
	}
}

func TestCancelledStaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, s, delegated(t, "a", "d1", time.Now()))
		put(t, s, delegated(t, "a", "d2", time.Now().Add(time.Second)))
		behind.set(fails)
		if got := get(t, s, job(t, "a").Key); len(got.Replaces) != 1 {
			t.Errorf("Replaces of the copy is %q, want the replaced d1", got.Replaces)
		}
		behind.set(none)
		time.Sleep(soon)
		j := get(t, s, job(t, "a").Key)
		save(t, s, j.Cancelled(j.Replaces[0]))
		behind.set(fails)
		if got := get(t, s, j.Key); len(got.Replaces) != 0 {
			t.Errorf("Replaces of the copy is %q, want none: d1 was cancelled", got.Replaces)
		}
	})
}

func TestRoomsInOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, s, job(t, "a"))
		behind.set(fails)
		claims := 0
		for range 60 {
			rooms, err := s.ClaimRooms(t.Context(), time.Now(), time.Minute, 10)
			if err != nil {
				t.Errorf("ClaimRooms: got %v, want no error", err)
			}
			claims += len(rooms)
			time.Sleep(time.Second)
		}
		if claims != 12 {
			t.Errorf("ClaimRooms returned the room %d times in a minute, want 12: every 5 s", claims)
		}
	})
}
