package redisstore_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
)

func TestForgotten(t *testing.T) {
	for what, forget := range map[string]func(*miniredis.Miniredis){
		"everything":              func(m *miniredis.Miniredis) { m.FlushAll() },
		"the epoch":               func(m *miniredis.Miniredis) { m.Del("matrixrtc-auth{leave}:epoch") },
		"the last writes":         func(m *miniredis.Miniredis) { m.Incr("matrixrtc-auth{leave}:writes", -1) },
		"the count of the writes": func(m *miniredis.Miniredis) { m.Del("matrixrtc-auth{leave}:writes") },
	} {
		t.Run(what, func(t *testing.T) {
			server := miniredis.RunT(t)
			a, b := open(t, "redis://"+server.Addr()), open(t, "redis://"+server.Addr())
			onA, onB := delegation(t, "a", time.Now()), delegation(t, "b", time.Now())
			put(t, a, onA)
			put(t, b, onB)
			before := get(t, a, onA.Key, nil)
			get(t, b, onB.Key, nil)

			forget(server)
			wantForgotten(t, a, onA)
			// Writes by other replicas must not hide that the server has lost jobs.
			put(t, open(t, "redis://"+server.Addr()), delegation(t, "c", time.Now()))
			wantForgotten(t, a, onA)

			merge(t, a, onA)
			wantForgotten(t, b, onB)
			merge(t, b, onB)
			get(t, a, onB.Key, nil)
			get(t, a, delegation(t, "c", time.Now()).Key, nil)
			if after := get(t, b, onA.Key, nil); after.Version <= before.Version {
				t.Errorf("got version %d, want a version above %d", after.Version, before.Version)
			}
			if _, err := a.Save(t.Context(), before); !errors.Is(err, leave.ErrConflict) {
				t.Errorf("Save of a version from before the loss: got %v, want ErrConflict", err)
			}
		})
	}
}

// TestForgottenAtMerge has a server that has lost its jobs. Merge is the first call
// that notices the loss. It must return ErrForgotten and do nothing, because the caller
// did not know of the loss, and may have passed only some of its copies of jobs. The
// next Merge must store the copies.
func TestForgottenAtMerge(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr())
	job := delegation(t, "a", time.Now())
	put(t, s, job)
	server.FlushAll()
	if err := s.Merge(t.Context(), []leave.Job{job}); !errors.Is(err, leave.ErrForgotten) {
		t.Fatalf("Merge: %v, want ErrForgotten", err)
	}
	if keys := server.Keys(); len(keys) > 0 {
		t.Errorf("the keys after the refused Merge: got %q, want none", keys)
	}
	merge(t, s, job)
	get(t, s, job.Key, nil)
}

// wantCounted checks all counts of a store that has exactly these jobs. The jobs must
// be in the state Waiting and belong to one user.
func wantCounted(t *testing.T, s *redisstore.Store, jobs ...leave.Job) {
	t.Helper()
	n := len(jobs)
	got, err := s.Count(t.Context(), jobs[0].User)
	if err != nil {
		t.Fatal(err)
	}
	if load := float64(n) * leave.Load(jobs[0].Delay); math.Abs(got.Load-load) > 1e-8 {
		t.Errorf("Count: the load of the homeserver is %g, want %g", got.Load, load)
	}
	if got.LoadOfUser != got.Load {
		t.Errorf("Count: the load of the user's jobs is %g, want %g", got.LoadOfUser, got.Load)
	}
	got.Load, got.LoadOfUser = 0, 0
	if want := (leave.Counts{All: n, OfUser: n, OfServer: n, ByState: map[leave.State]int{
		leave.Waiting: n, leave.Connected: 0, leave.Leaving: 0, leave.Sending: 0, leave.Cancelling: 0,
	}}); !reflect.DeepEqual(got, want) {
		t.Errorf("Count: got %+v, want %+v", got, want)
	}
}

// TestForeignValueStaysDue checks that a record becomes due again although this version
// of the program cannot read it. A later version may have written the record, and a
// process of that version must be able to claim the record.
func TestForeignValueStaysDue(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr())
	now := time.Now()
	put(t, s, delegation(t, "a", now))
	ours := server.HGet(jobsKey, "1:a:a")
	server.HSet(jobsKey, "1:a:a", "version 2")
	if _, err := server.ZAdd(dueKey, 0, "nobody's"); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Claim(t.Context(), "holder", now, 10); err != nil || len(found) > 0 {
		t.Errorf("Claim: got %v, %v, want none", found, err)
	}
	if left, err := server.ZMembers(dueKey); err != nil || !slices.Equal(left, []string{"0::", "1:a:a"}) {
		t.Errorf("the members of the due set: got %q, %v, want those with a record", left, err)
	}
	server.HSet(jobsKey, "1:a:a", ours)
	for wait, want := range map[time.Duration]int{59 * time.Second: 0, time.Minute: 1} {
		t.Run(fmt.Sprint(wait), func(t *testing.T) {
			if found, err := s.Claim(t.Context(), "holder", now.Add(wait), 10); err != nil || len(found) != want {
				t.Errorf("Claim after %v = %v, %v, want %d", wait, found, err, want)
			}
		})
	}
}

// TestScriptsForgotten has a server that has lost its scripts, but not the jobs. The
// store must send the scripts again.
func TestScriptsForgotten(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr())
	put(t, s, delegation(t, "a", time.Now()))
	flushScripts(t, server)
	put(t, s, delegation(t, "b", time.Now()))
	get(t, s, delegation(t, "a", time.Now()).Key, nil)
}
