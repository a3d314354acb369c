package leavetest

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

func putAndDelete(t *testing.T, s Store) {
	job := delegation(t, "room", "alice", "d1", start())
	if _, err := s.Get(t.Context(), job.Key); !errors.Is(err, leave.ErrNotFound) {
		t.Fatalf("Get before Put: %v, want ErrNotFound", err)
	}
	if replaced := put(t, s, job); replaced != nil {
		t.Errorf("Put: got the replaced job %v, want none", replaced)
	}
	got := get(t, s, job.Key)
	wantSame(t, got, job)
	if err := s.Delete(t.Context(), got); err != nil {
		t.Fatalf("Delete: got %v, want no error", err)
	}
	if _, err := s.Get(t.Context(), job.Key); !errors.Is(err, leave.ErrNotFound) {
		t.Errorf("Get after Delete: %v, want ErrNotFound", err)
	}
}

// filled returns job with a value in every field.
func filled(t *testing.T, job leave.Job) leave.Job {
	t.Helper()
	at := job.AcceptedAt
	next := func() time.Time { at = at.Add(1001 * time.Millisecond); return at }
	job.State, job.Since = leave.Leaving, next()
	job.Session, job.LeftSession, job.ClearLeave = "PA_new", "PA_old", true
	job.Deadline, job.Restarted, job.UnansweredSince, job.RoomSeen = next(), next(), next(), next()
	job.Refused, job.RoomLost, job.Unrecorded = next(), true, true
	job.NextRestart, job.NextLook, job.NextCancel = next(), next(), next()
	job.Restarts, job.Looks, job.Sends, job.Cancels = 2, 3, 4, 5
	job.Replaces = []matrix.DelayID{delay(t, "d0"), delay(t, "d-1")}
	job.Lease = leave.Lease{Holder: "holder", Until: next()}
	job.Version = max(job.Version, 1)
	for i, v := 0, reflect.ValueOf(job); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Fatalf("got no %s, want leavetest to set each field", v.Type().Field(i).Name)
		}
	}
	return job
}

func everyField(t *testing.T, s Store) {
	job := filled(t, stored(t, s, delegation(t, "room", "alice", "d1", start())))
	saved := save(t, s, job)
	wantSame(t, saved, job)
	wantEqual(t, get(t, s, job.Key), saved)

	empty := saved
	empty.Replaces, empty.Lease, empty.NextCancel, empty.Session = nil, leave.Lease{}, time.Time{}, ""
	wantSame(t, save(t, s, empty), empty)
	wantSame(t, get(t, s, job.Key), empty)
}

func anyText(t *testing.T, s Store) {
	texts := []string{
		strings.Repeat("i", 256), "<&>\"'\\/", "{room}", "a b\tc\nd", "ÄÖÜ 🦊 \u2028", "%00+%2F", "null", "0",
	}
	for _, text := range texts {
		job := delegation(t, sfu.Room(text), sfu.Identity(text), "d", start())
		job.User = userID(t, "@"+strings.ReplaceAll(text, "i", "")+":example.org")
		job.DelayID = delay(t, text[:min(len(text), 255)])
		job.Session = text
		got := stored(t, s, job)
		wantSame(t, got, job)
		if err := s.Delete(t.Context(), got); err != nil {
			t.Errorf("Delete of %q: got %v, want no error", text, err)
		}
	}
}

func keysApart(t *testing.T, s Store) {
	now := start()
	keys := []leave.Key{
		{Room: "a", Identity: "b:c"}, {Room: "a:b", Identity: "c"}, {Room: "a:b:c", Identity: ":"}, {Room: ":", Identity: "a:b:c"},
		{Room: "a", Identity: "b c"}, {Room: "a b", Identity: "c"}, {Room: "A", Identity: "b:c"},
	}
	for i, key := range keys {
		put(t, s, delegation(t, key.Room, key.Identity, string(rune('a'+i)), now))
	}
	for i, key := range keys {
		wantIDs(t, []leave.Job{get(t, s, key)}, string(rune('a'+i)))
	}
}

func milliseconds(t *testing.T, s Store) {
	now := start()
	job := delegation(t, "room", "alice", "d1", now.Add(999*time.Microsecond))
	got := stored(t, s, job)
	if !got.AcceptedAt.Equal(now) || !got.NextLook.Equal(now) {
		t.Errorf("AcceptedAt is %v and NextLook is %v, want both to be %v", got.AcceptedAt, got.NextLook, now)
	}
	put(t, s, job)
	wantEqual(t, get(t, s, job.Key), got)
	wantIDs(t, claim(t, s, "holder", now, 10), "d1")
}

func putAgain(t *testing.T, s Store) {
	now := start()
	job := delegation(t, "room", "alice", "d1", now)
	worked := save(t, s, stored(t, s, job).Joined(now.Add(time.Second), "PA_1"))
	if replaced := put(t, s, job); replaced != nil {
		t.Errorf("Put: got the replaced job %v, want none", replaced)
	}
	wantEqual(t, get(t, s, job.Key), worked)
}

func laterReplaces(t *testing.T, s Store) {
	now := start()
	first := stored(t, s, delegation(t, "room", "alice", "d2", now))
	later := delegation(t, "room", "alice", "d1", now.Add(time.Millisecond))
	replaced := put(t, s, later)
	if replaced == nil {
		t.Fatal("Put: got no replaced job, want the former one")
	}
	wantEqual(t, *replaced, first)
	got := get(t, s, later.Key)
	wantSame(t, got, later.Replacing(first))
	if got.Version <= first.Version {
		t.Errorf("got version %d, want a version above %d", got.Version, first.Version)
	}
	if _, err := s.Save(t.Context(), first); !errors.Is(err, leave.ErrConflict) {
		t.Errorf("Save of the replaced job: got %v, want ErrConflict", err)
	}
	if err := s.Delete(t.Context(), first); !errors.Is(err, leave.ErrConflict) {
		t.Errorf("Delete of the replaced job: got %v, want ErrConflict", err)
	}
}

func earlierNever(t *testing.T, s Store) {
	now := start()
	later := stored(t, s, delegation(t, "room", "alice", "d1", now))
	earlier := delegation(t, "room", "alice", "d2", now.Add(-time.Millisecond))
	if _, err := s.Put(t.Context(), earlier); !errors.Is(err, leave.ErrSuperseded) {
		t.Errorf("Put of an earlier delegation: %v, want ErrSuperseded", err)
	}
	wantEqual(t, get(t, s, later.Key), later)
}

func tiesByDelayID(t *testing.T, s Store) {
	now := start()
	a, b := delegation(t, "room", "alice", "d1", now), delegation(t, "room", "alice", "d2", now)
	put(t, s, a)
	if replaced := put(t, s, b); replaced == nil {
		t.Error("Put of the greater delay id: got no replaced job, want the former one")
	}
	if _, err := s.Put(t.Context(), a); !errors.Is(err, leave.ErrSuperseded) {
		t.Errorf("Put of the lesser delay id: %v, want ErrSuperseded", err)
	}
	wantIDs(t, []leave.Job{get(t, s, a.Key)}, "d2")
}

func sameDelayID(t *testing.T, s Store) {
	now := start()
	put(t, s, delegation(t, "room", "alice", "d1", now))
	again := delegation(t, "room", "alice", "d1", now.Add(time.Second))
	if replaced := put(t, s, again); replaced == nil {
		t.Error("Put of the later delegation: got no replaced job, want the former one")
	}
	if got := get(t, s, again.Key); len(got.Replaces) > 0 {
		t.Errorf("Replaces is %v, want none: the new delegation has the same delay id", got.Replaces)
	}

	known := save(t, s, get(t, s, again.Key).Joined(now.Add(2*time.Second), "PA_1"))
	again = delegation(t, "room", "alice", "d1", now.Add(3*time.Second))
	put(t, s, again)
	got := get(t, s, again.Key)
	wantSame(t, got, again.Replacing(known))
	if got.State != leave.Connected || got.Session != "PA_1" {
		t.Errorf("got the state %s with the session %q, want %s with PA_1", got.State, got.Session, leave.Connected)
	}
}

func replacesAdd(t *testing.T, s Store) {
	now := start()
	for i, id := range []string{"d1", "d2", "d3"} {
		put(t, s, delegation(t, "room", "alice", id, now.Add(time.Duration(i)*time.Second)))
	}
	got := get(t, s, leave.Key{Room: "room", Identity: "alice"}).Replaces
	if len(got) != 2 || !slices.Contains(got, delay(t, "d1")) || !slices.Contains(got, delay(t, "d2")) {
		t.Errorf("Replaces is %v, want d1 and d2", got)
	}
}

func replacementIsFree(t *testing.T, s Store) {
	now := start()
	put(t, s, delegation(t, "room", "alice", "d1", now))
	wantIDs(t, claim(t, s, "holder", now, 1), "d1")
	put(t, s, delegation(t, "room", "alice", "d2", now.Add(time.Millisecond)))
	wantIDs(t, claim(t, s, "other", now.Add(time.Millisecond), 1), "d2")
}
