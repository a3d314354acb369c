package leavetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

func mergeDelegations(t *testing.T, s Store) {
	now := start()
	for name, later := range map[string]bool{"stored": true, "copy": false} {
		job := stored(t, s, delegation(t, sfu.Room(name), "alice", "d2", now))
		other := delegation(t, sfu.Room(name), "alice", "d1", now.Add(time.Second))
		other.Restarted = now.Add(-time.Minute)
		want := "d1"
		if later {
			other.AcceptedAt, other.Restarted, want = now.Add(-time.Second), now.Add(time.Minute), "d2"
		}
		merge(t, s, other)
		got := get(t, s, job.Key)
		wantIDs(t, []leave.Job{got}, want)
		wantSame(t, got, leave.Merged(job, other))
		if len(got.Replaces) != 1 {
			t.Errorf("Replaces is %v, want the one delegation that was replaced", got.Replaces)
		}
	}
}

func mergeRestarted(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	ahead := job.Joined(now, "PA_1").RestartDone(now.Add(2*time.Second), time.Minute)
	merge(t, s, ahead)
	wantSame(t, get(t, s, job.Key), ahead)
	behind := job.Joined(now.Add(3*time.Second), "PA_2").RestartDone(now.Add(time.Second), time.Minute)
	merge(t, s, behind)
	wantSame(t, get(t, s, job.Key), ahead)
}

func mergeSince(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	younger := job.Joined(now.Add(2*time.Second), "PA_1")
	merge(t, s, younger)
	wantSame(t, get(t, s, job.Key), younger)
	merge(t, s, job.Joined(now.Add(time.Second), "PA_2"))
	wantSame(t, get(t, s, job.Key), younger)
	even := younger
	even.Session = "PA_3"
	merge(t, s, even)
	wantSame(t, get(t, s, job.Key), even)
}

func mergeEnded(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, dueAt(delegation(t, "room", "alice", "d1", now), now).Joined(now, "PA_1"))
	if err := s.Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	merge(t, s, job)
	wantSame(t, get(t, s, job.Key), job)
	wantConflict(t, s, job)
	wantCount(t, s, job.User, 1, 1)
	wantIDs(t, room(t, s, job.Room), "d1")
	wantRooms(t, claimRooms(t, s, now, time.Minute, 1), job.Room)
	wantIDs(t, claim(t, s, "holder", now, 1), "d1")
}

func mergeFences(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	lent := claim(t, s, "holder", now, 1)[0]
	merge(t, s, job.Joined(now, "PA_1"))
	wantConflict(t, s, job)
	wantConflict(t, s, lent)
	save(t, s, get(t, s, job.Key))
}

func mergeVersions(t *testing.T, s Store) {
	now := start()
	ahead := delegation(t, "room", "alice", "d1", now)
	ahead.Version = 1_000_000
	merge(t, s, ahead)
	wantConflict(t, s, ahead)
	job := get(t, s, ahead.Key)
	if job.Version <= ahead.Version {
		t.Errorf("got version %d, want a version above the copy's %d", job.Version, ahead.Version)
	}
	behind := job
	behind.Version = 1
	merge(t, s, behind)
	if got := get(t, s, job.Key).Version; got <= job.Version {
		t.Errorf("got version %d, want a version above %d", got, job.Version)
	}
}

func mergeLease(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	lent := claim(t, s, "holder", now, 1)[0]
	merge(t, s, job)
	wantIDs(t, claim(t, s, "other", lent.Lease.Until.Add(-time.Millisecond), 1))
	wantIDs(t, claim(t, s, "other", lent.Lease.Until, 1), "d1")
}

func mergeAgain(t *testing.T, s Store) {
	now := start()
	job := delegation(t, "room", "alice", "d1", now)
	put(t, s, job)
	later := delegation(t, "room", "alice", "d2", now.Add(time.Second))
	for range 3 {
		merge(t, s, job, later, job)
	}
	wantSame(t, get(t, s, job.Key), later.Replacing(job))
	wantCount(t, s, job.User, 1, 1)
}

func mergeMany(t *testing.T, s Store) {
	merge(t, s)
	now := start()
	var jobs []leave.Job
	for i := range 1000 {
		jobs = append(jobs, delegation(t, sfu.Room(fmt.Sprint("room", i%20)), sfu.Identity(fmt.Sprint(i)), fmt.Sprint("d", i), now))
	}
	merge(t, s, jobs[:600]...)
	merge(t, s, slices.Concat(jobs[400:], jobs[:10])...)
	wantCount(t, s, jobs[0].User, 1000, 1000)
	if got := len(claim(t, s, "holder", now, 2000)); got != 1000 {
		t.Errorf("Claim: got %d jobs, want 1000", got)
	}
}
