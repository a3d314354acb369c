package leavetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// start returns the current time in milliseconds, because stores keep times in
// milliseconds. Tests begin at this time.
func start() time.Time { return time.Now().Truncate(time.Millisecond) }

// delegation returns a job with a delay of an hour.
func delegation(t *testing.T, room sfu.Room, identity sfu.Identity, delayID string, now time.Time) leave.Job {
	t.Helper()
	return leave.New(leave.Key{Room: room, Identity: identity}, userID(t, "@alice:example.org"), delay(t, delayID), time.Hour, now)
}

func userID(t *testing.T, text string) matrix.UserID {
	t.Helper()
	id, err := matrix.ParseUserID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func delay(t *testing.T, text string) matrix.DelayID {
	t.Helper()
	id, err := matrix.ParseDelayID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// dueAt returns a copy of j. At the time due, the keeper must ask the SFU about the
// copy. It must restart the copy's delayed event an hour later.
func dueAt(j leave.Job, due time.Time) leave.Job {
	j.NextLook, j.NextRestart = due, due.Add(time.Hour)
	return j
}

// If the store returns an error, each of put, get, save, merge and claim fails the
// test.
func put(t *testing.T, s Store, job leave.Job) (replaced *leave.Job) {
	t.Helper()
	replaced, err := s.Put(t.Context(), job)
	if err != nil {
		t.Fatalf("Put: got %v, want no error", err)
	}
	return replaced
}

func get(t *testing.T, s Store, key leave.Key) leave.Job {
	t.Helper()
	job, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%v): got %v, want no error", key, err)
	}
	return job
}

// stored puts job into the store, and returns the job as the store has it.
func stored(t *testing.T, s Store, job leave.Job) leave.Job {
	t.Helper()
	put(t, s, job)
	return get(t, s, job.Key)
}

func save(t *testing.T, s Store, job leave.Job) leave.Job {
	t.Helper()
	saved, err := s.Save(t.Context(), job)
	if err != nil {
		t.Fatalf("Save: got %v, want no error", err)
	}
	return saved
}

func merge(t *testing.T, s Store, jobs ...leave.Job) {
	t.Helper()
	if err := s.Merge(t.Context(), jobs); err != nil {
		t.Fatalf("Merge: got %v, want no error", err)
	}
}

func claim(t *testing.T, s Store, holder string, now time.Time, n int) []leave.Job {
	t.Helper()
	jobs, err := s.Claim(t.Context(), holder, now, n)
	if err != nil {
		t.Fatalf("Claim: got %v, want no error", err)
	}
	return jobs
}

func claimRooms(t *testing.T, s Store, now time.Time, every time.Duration, n int) []sfu.Room {
	t.Helper()
	rooms, err := s.ClaimRooms(t.Context(), now, every, n)
	if err != nil {
		t.Fatalf("ClaimRooms: got %v, want no error", err)
	}
	return rooms
}

// wantIDs checks the delay ids of jobs and their order.
func wantIDs(t *testing.T, jobs []leave.Job, want ...string) {
	t.Helper()
	var got []string
	for _, j := range jobs {
		got = append(got, j.DelayID.String())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got the jobs %q, want %q (by their delay ids)", got, want)
	}
}

// wantSame checks that got and want are equal in all fields except Version.
func wantSame(t *testing.T, got, want leave.Job) {
	t.Helper()
	got.Version = want.Version
	wantEqual(t, got, want)
}

// wantEqual checks that got and want are equal in all fields. If there is nothing to
// cancel, it ignores NextCancel.
func wantEqual(t *testing.T, got, want leave.Job) {
	t.Helper()
	if len(got.Replaces) == 0 {
		got.NextCancel = want.NextCancel
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if got, want := plain(g.Field(i).Interface()), plain(w.Field(i).Interface()); got != want {
			t.Errorf("the job's %s is %s, want %s", g.Type().Field(i).Name, got, want)
		}
	}
}

// plain returns v as a text that can be compared. It writes times without their zone
// and monotonic clock.
func plain(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case leave.Lease:
		return fmt.Sprintf("%q until %s", v.Holder, plain(v.Until))
	}
	return fmt.Sprintf("%+v", v)
}
