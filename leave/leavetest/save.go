package leavetest

import (
	"errors"
	"testing"
	"time"

	"matrixrtc-auth/leave"
)

// wantConflict checks that the store accepts neither Save nor Delete for job. These
// calls must not change the stored job.
func wantConflict(t *testing.T, s Store, job leave.Job) {
	t.Helper()
	before, err := s.Get(t.Context(), job.Key)
	job.Looks += 1000
	if _, err := s.Save(t.Context(), job); !errors.Is(err, leave.ErrConflict) {
		t.Errorf("Save of version %d: %v, want ErrConflict", job.Version, err)
	}
	if err := s.Delete(t.Context(), job); !errors.Is(err, leave.ErrConflict) {
		t.Errorf("Delete of version %d: %v, want ErrConflict", job.Version, err)
	}
	if after, errAfter := s.Get(t.Context(), job.Key); err == nil && errAfter == nil {
		wantEqual(t, after, before)
	} else if !errors.Is(errAfter, err) {
		t.Errorf("Get: got %v, want %v as before", errAfter, err)
	}
}

func staleWrites(t *testing.T, s Store) {
	first := stored(t, s, delegation(t, "room", "alice", "d1", start()))
	changed := first
	changed.Session = "PA_1"
	second := save(t, s, changed)
	if second.Version <= first.Version || second.Session != "PA_1" {
		t.Errorf("Save: got version %d and the session %q, want a greater version than %d and PA_1", second.Version, second.Session, first.Version)
	}
	wantEqual(t, get(t, s, first.Key), second)
	wantConflict(t, s, first)
	ahead := second
	ahead.Version++
	wantConflict(t, s, ahead)
	save(t, s, second)
}

func endedWrites(t *testing.T, s Store) {
	job := stored(t, s, delegation(t, "room", "alice", "d1", start()))
	if err := s.Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, s, job)
	never := delegation(t, "room", "bob", "d2", start())
	wantConflict(t, s, never)
}

func versionsOnce(t *testing.T, s Store) {
	now := start()
	var old []leave.Job
	for range 3 {
		job := stored(t, s, delegation(t, "room", "alice", "d1", now))
		for _, o := range old {
			wantConflict(t, s, o)
		}
		old = append(old, job)
		job = save(t, s, job)
		old = append(old, job)
		job = claim(t, s, "holder", now, 1)[0]
		old = append(old, job)
		if err := s.Delete(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
}
