package leavetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// putDue stores a job whose next action is due at the given time.
func putDue(t *testing.T, s Store, delayID string, due time.Time) leave.Job {
	t.Helper()
	return stored(t, s, dueAt(delegation(t, "room", sfu.Identity("of "+delayID), delayID, start()), due))
}

func claimOrder(t *testing.T, s Store) {
	now := start()
	for _, i := range []int{7, 3, 9, 1, 5, 0, 8, 2, 6, 4} {
		putDue(t, s, fmt.Sprint("d", i), now.Add(time.Duration(i)*time.Millisecond))
	}
	wantIDs(t, claim(t, s, "holder", now.Add(-time.Millisecond), 10))
	wantIDs(t, claim(t, s, "holder", now, 10), "d0")
	wantIDs(t, claim(t, s, "holder", now.Add(6*time.Millisecond), 4), "d1", "d2", "d3", "d4")
	wantIDs(t, claim(t, s, "other", now.Add(6*time.Millisecond), 4), "d5", "d6")
	wantIDs(t, claim(t, s, "other", now.Add(time.Second), 2), "d7", "d8")
	wantIDs(t, claim(t, s, "holder", now.Add(time.Second), 100), "d9")
	wantIDs(t, claim(t, s, "holder", now.Add(time.Second), 100))
}

func claimBound(t *testing.T, s Store) {
	now := start()
	for i := range 300 {
		putDue(t, s, fmt.Sprint("d", i), now)
	}
	for _, n := range []int{0, 1, 250, 49, 0} {
		if got := len(claim(t, s, "holder", now, n)); got != n {
			t.Errorf("Claim: got %d jobs, want %d", got, n)
		}
	}
	if got := len(claim(t, s, "holder", now, 1)); got != 0 {
		t.Errorf("a second Claim of all jobs: got %d jobs, want 0", got)
	}
}

func dueReasons(t *testing.T, s Store) {
	now := start()
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	quiet := delegation(t, "room", "alice", "d1", now)
	quiet.NextLook, quiet.NextRestart, quiet.NextCancel = far, far, far
	reasons := map[string]func(*leave.Job){
		"restart": func(j *leave.Job) { j.NextRestart = now },
		"look":    func(j *leave.Job) { j.NextLook = now },
		"send":    func(j *leave.Job) { j.State, j.NextLook = leave.Sending, now },
		"cancel": func(j *leave.Job) {
			j.Replaces, j.NextCancel = append(j.Replaces, delay(t, "d0")), now
		},
	}
	job := stored(t, s, quiet)
	wantIDs(t, claim(t, s, "holder", now.Add(24*time.Hour), 1))
	for reason, make := range reasons {
		due := quiet
		make(&due)
		due.Version = job.Version
		save(t, s, due)
		got := claim(t, s, "holder", now, 1)
		if len(got) != 1 {
			t.Fatalf("due for its %s: got %d jobs, want 1", reason, len(got))
		}
		quiet.Version = got[0].Version
		job = save(t, s, quiet)
		wantIDs(t, claim(t, s, "holder", now.Add(24*time.Hour), 1))
	}
	for _, state := range []leave.State{leave.Sending, leave.Cancelling} { // in these states no restart can be due
		job.State, job.NextRestart = state, now
		job = save(t, s, job)
		wantIDs(t, claim(t, s, "holder", now, 1))
	}
}

func leaseTime(t *testing.T, s Store) {
	now := start()
	job := putDue(t, s, "d1", now)
	lent := claim(t, s, "holder", now, 1)[0]
	want := job
	want.Lease = leave.Lease{Holder: "holder", Until: now.Add(job.LeaseTime())}
	wantSame(t, lent, want)
	wantEqual(t, get(t, s, job.Key), lent)
	if lent.Version <= job.Version {
		t.Errorf("got version %d, want a version above %d", lent.Version, job.Version)
	}
	wantIDs(t, claim(t, s, "other", lent.Lease.Until.Add(-time.Millisecond), 1))
	again := claim(t, s, "other", lent.Lease.Until, 1)
	wantIDs(t, again, "d1")
	if again[0].Lease.Holder != "other" {
		t.Errorf("the lease has the holder %q, want \"other\"", again[0].Lease.Holder)
	}
}

func givenBack(t *testing.T, s Store) {
	now := start()
	putDue(t, s, "d1", now)
	job := claim(t, s, "holder", now, 1)[0]
	job.Lease = leave.Lease{}
	job = save(t, s, job)
	wantIDs(t, claim(t, s, "other", now, 1), "d1")

	job = get(t, s, job.Key)
	job.Lease = leave.Lease{}
	save(t, s, dueAt(job, now.Add(time.Second)))
	wantIDs(t, claim(t, s, "other", now.Add(999*time.Millisecond), 1))
	wantIDs(t, claim(t, s, "other", now.Add(time.Second), 1), "d1")
}

func writtenWhileLent(t *testing.T, s Store) {
	now := start()
	putDue(t, s, "d1", now)
	lent := claim(t, s, "holder", now, 1)[0]
	reported := save(t, s, dueAt(lent, now.Add(-time.Minute)))
	if got, want := plain(reported.Lease), plain(lent.Lease); got != want {
		t.Errorf("the lease is now %s, want %s", got, want)
	}
	wantIDs(t, claim(t, s, "other", now, 1))
	wantConflict(t, s, lent)
	wantIDs(t, claim(t, s, "other", lent.Lease.Until, 1), "d1")
}

func fencing(t *testing.T, s Store) { sharedFencing(t, s, s) }

// sharedFencing lets the lease of process a end, and process b claim the job. Then
// process a writes the job. This late write must fail.
func sharedFencing(t *testing.T, a, b Store) {
	now := start()
	putDue(t, a, "d1", now)
	stale := claim(t, a, "a", now, 1)[0]
	lent := claim(t, b, "b", stale.Lease.Until, 1)[0]
	wantConflict(t, a, stale)
	lent.Lease = leave.Lease{}
	lent = save(t, b, dueAt(lent, now.Add(time.Hour)))
	wantConflict(t, a, stale)
	if err := b.Delete(t.Context(), lent); err != nil {
		t.Errorf("Delete by the holder: got %v, want no error", err)
	}
	wantConflict(t, a, stale)
}

func sharedJobs(t *testing.T, a, b Store) {
	now := start()
	job := putDue(t, a, "d1", now)
	wantEqual(t, get(t, b, job.Key), job)
	save(t, b, job.Joined(now, "PA_1"))
	wantConflict(t, a, job)
	job = get(t, a, job.Key)
	wantCounts(t, b, job.User, job)
	for _, s := range []Store{a, b} {
		if rooms, err := s.Rooms(t.Context()); err != nil || !slices.Contains(rooms, job.Room) {
			t.Errorf("Rooms = %q, %v, want %q", rooms, err, job.Room)
		}
	}
	if err := a.Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, b, job)
}
