package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave"
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
			// What was written by others in the meantime changes nothing.
			put(t, open(t, "redis://"+server.Addr()), delegation(t, "c", time.Now()))
			wantForgotten(t, a, onA)

			merge(t, a, onA)
			wantForgotten(t, b, onB)
			merge(t, b, onB)
			get(t, a, onB.Key, nil)
			get(t, a, delegation(t, "c", time.Now()).Key, nil)
			if after := get(t, b, onA.Key, nil); after.Version <= before.Version {
				t.Errorf("version %d came after %d", after.Version, before.Version)
			}
			if _, err := a.Save(t.Context(), before); !errors.Is(err, leave.ErrConflict) {
				t.Errorf("Save of a version of the life before: %v, want ErrConflict", err)
			}
		})
	}
}

// A loss that shows at a Merge has to be told before it is healed: only the
// caller knows whether these are all its copies.
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
		t.Errorf("it wrote %q", keys)
	}
	merge(t, s, job)
	get(t, s, job.Key, nil)
}

// A server that has forgotten its scripts, and nothing else, is told them.
func TestScriptsForgotten(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr())
	put(t, s, delegation(t, "a", time.Now()))
	flushScripts(t, server)
	put(t, s, delegation(t, "b", time.Now()))
	get(t, s, delegation(t, "a", time.Now()).Key, nil)
}

// What nobody of ours wrote does not stop the rest.
func TestForeignValues(t *testing.T) {
	for _, value := range []string{"garbage", "1 2 3 0 holder\nno JSON", "1 2 3 0 holder\n{}", "\xff"} {
		server := miniredis.RunT(t)
		var log logged
		s := openWith(t, options(server, log.logger()))
		job, other := delegation(t, "a", time.Now()), delegation(t, "b", time.Now())
		put(t, s, job)
		put(t, s, other)
		server.HSet("matrixrtc-auth{leave}:jobs", "1:a:a", value)

		get(t, s, job.Key, leave.ErrNotFound)
		if jobs, err := s.Room(t.Context(), job.Room); err != nil || len(jobs) != 0 {
			t.Errorf("%q: Room = %v, %v", value, jobs, err)
		}
		jobs, err := s.Claim(t.Context(), "holder", time.Now(), 10)
		if err != nil || len(jobs) != 1 || jobs[0].Key != other.Key {
			t.Errorf("%q: Claim = %v, %v, want the other job", value, jobs, err)
		}
		put(t, s, job)
		got := get(t, s, job.Key, nil)
		server.HSet("matrixrtc-auth{leave}:jobs", "1:a:a", value)
		merge(t, s, got)
		get(t, s, job.Key, nil)
		if !log.contains("no job") {
			t.Errorf("%q: nothing was logged", value)
		}
	}
}
