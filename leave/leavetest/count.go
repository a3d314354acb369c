package leavetest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// wantCount checks how many jobs the store counts: in total, and of the given user.
func wantCount(t *testing.T, s Store, user matrix.UserID, all, ofUser int) {
	t.Helper()
	got, err := s.Count(t.Context(), user)
	if err != nil || got.All != all || got.OfUser != ofUser {
		t.Errorf("Count(%s): got %d jobs, %d of the user (%v), want %d and %d", user, got.All, got.OfUser, err, all, ofUser)
	}
}

// wantCounts checks all counts of the store for user. The argument jobs must be all
// jobs in the store.
func wantCounts(t *testing.T, s Store, user matrix.UserID, jobs ...leave.Job) {
	t.Helper()
	want := recount(user, jobs)
	got, err := s.Count(t.Context(), user)
	if err != nil {
		t.Fatalf("Count(%s): got %v, want no error", user, err)
	}
	// A store may round the load of each job to a billionth.
	if math.Abs(got.Load-want.Load) > 1e-9*float64(len(jobs)) {
		t.Errorf("Count(%s): the load of the user's homeserver is %.12f, want %.12f", user, got.Load, want.Load)
	}
	if math.Abs(got.LoadOfUser-want.LoadOfUser) > 1e-9*float64(len(jobs)) {
		t.Errorf("Count(%s): the load of the user's jobs is %.12f, want %.12f", user, got.LoadOfUser, want.LoadOfUser)
	}
	if got.All != want.All || got.OfUser != want.OfUser || got.OfServer != want.OfServer || !maps.Equal(got.ByState, want.ByState) {
		t.Errorf("Count(%s) = %+v, want %+v", user, got, want)
	}
}

func recount(user matrix.UserID, jobs []leave.Job) leave.Counts {
	c := leave.Counts{All: len(jobs), ByState: map[leave.State]int{}}
	for _, state := range leave.States() {
		c.ByState[state] = 0
	}
	for _, job := range jobs {
		c.ByState[job.State]++
		if job.User == user {
			c.OfUser++
			c.LoadOfUser += leave.Load(job.Delay)
		}
		if job.User.Server() == user.Server() {
			c.OfServer++
			c.Load += leave.Load(job.Delay)
		}
	}
	return c
}

func counts(t *testing.T, s Store) {
	now := start()
	alice, bob := userID(t, "@alice:example.org"), userID(t, "@bob:example.org")
	wantCounts(t, s, alice)
	first := delegation(t, "room", "alice", "d1", now)
	other := delegation(t, "room", "bob", "d2", now)
	other.User = bob
	for _, job := range []leave.Job{first, first, delegation(t, "room", "alice", "d3", now.Add(1e9)), other, delegation(t, "other", "alice", "d4", now)} {
		put(t, s, job)
	}
	wantCount(t, s, alice, 3, 2)
	wantCount(t, s, bob, 3, 1)
	wantCount(t, s, userID(t, "@alice:example.com"), 3, 0)
	claim(t, s, "holder", now.Add(time.Hour), 10)
	save(t, s, get(t, s, first.Key))
	wantCount(t, s, alice, 3, 2)
	for _, key := range []leave.Key{first.Key, other.Key} {
		if err := s.Delete(t.Context(), get(t, s, key)); err != nil {
			t.Fatal(err)
		}
	}
	wantCount(t, s, alice, 1, 1)
	wantCount(t, s, bob, 1, 0)
}

func countsFollowOwner(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	for i, owner := range []string{"@bob:example.org", "@alice:example.com", "@a\nb c:example.org:8448"} {
		later := delegation(t, "room", "alice", "d2", now.Add(time.Duration(i+1)*time.Second))
		later.User = userID(t, owner)
		put(t, s, later)
		for _, user := range []matrix.UserID{job.User, later.User} {
			wantCounts(t, s, user, later)
		}
		job = later
	}
	job = get(t, s, job.Key)
	job.User = userID(t, "@carol:example.net")
	job = save(t, s, job)
	wantCounts(t, s, job.User, job)
	wantCounts(t, s, userID(t, "@bob:example.org:8448"), job)
}

// countsFollowJobs changes the state and the delay of a job. The counts must change,
// too.
func countsFollowJobs(t *testing.T, s Store) {
	now := start()
	other := stored(t, s, delegation(t, "room", "bob", "d0", now))
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	wantCounts(t, s, job.User, job, other)
	for _, state := range append(leave.States(), leave.Connected) {
		job.State = state
		job = save(t, s, job)
		wantCounts(t, s, job.User, job, other)
		claim(t, s, "holder", now.Add(24*time.Hour), 2)
		wantCounts(t, s, job.User, job, other)
		job = get(t, s, job.Key)
	}
	for i, delay := range []time.Duration{leave.MinDelay, 18 * time.Second, leave.MaxDelay, 700_001 * time.Millisecond} {
		later := job
		later.Delay, later.AcceptedAt = delay, now.Add(time.Duration(i+1)*time.Second)
		put(t, s, later)
		wantCounts(t, s, job.User, later, other)
	}
	job = get(t, s, job.Key)
	job.Delay = 8 * time.Second
	job = save(t, s, job)
	wantCounts(t, s, job.User, job, other)
	if err := s.Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, job.User, other)
}

func countsOfMerged(t *testing.T, s Store) {
	now := start()
	job := stored(t, s, delegation(t, "room", "alice", "d1", now))
	ahead := job.Joined(now.Add(time.Second), "PA_1")
	later := delegation(t, "room", "alice", "d2", now.Add(time.Second))
	later.User, later.Delay = userID(t, "@bob:example.com"), 18*time.Second
	fresh := delegation(t, "room", "bob", "d3", now)
	fresh.State = leave.Sending
	merge(t, s, ahead)
	wantCounts(t, s, job.User, ahead)
	for range 2 {
		merge(t, s, later, job, fresh)
		wantCounts(t, s, job.User, later, fresh)
		wantCounts(t, s, later.User, later, fresh)
	}
}

// loadDoesNotDrift stores and deletes many jobs. After that, Count must return exactly
// the same load as before. When no job is left, the load must be zero.
func loadDoesNotDrift(t *testing.T, s Store) {
	now := start()
	user := userID(t, "@alice:example.org")
	stays := stored(t, s, delegation(t, "room", "alice", "d", now))
	before, err := s.Count(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		job := delegation(t, "room", "bob", fmt.Sprint("d", i), now)
		job.Delay = leave.MinDelay + time.Duration(i)*977*time.Millisecond
		if err := s.Delete(t.Context(), stored(t, s, job)); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := s.Count(t.Context(), user); err != nil || after.Load != before.Load || after.LoadOfUser != before.LoadOfUser {
		t.Errorf("Count: got the load %g (%v), want %g", after.Load, err, before.Load)
	}
	if err := s.Delete(t.Context(), stays); err != nil {
		t.Fatal(err)
	}
	if after, err := s.Count(t.Context(), user); err != nil || after.Load != 0 || after.LoadOfUser != 0 {
		t.Errorf("Count: got the load %g (%v), want 0", after.Load, err)
	}
}

// players are the users of the jobs in the random tests.
var players = []string{"@alice:example.org", "@bob:example.org", "@alice:example.com", "@carol:example.net:8448"}

// anything makes a random call to the store that can change the job of the given key.
func anything(t *testing.T, s Store, random *rand.Rand, key leave.Key, now time.Time) {
	t.Helper()
	job := delegation(t, key.Room, key.Identity, fmt.Sprint("d", random.IntN(5)), now.Add(time.Duration(random.IntN(100))*time.Second))
	job.User = userID(t, players[random.IntN(len(players))])
	job.Delay = leave.MinDelay + time.Duration(random.IntN(3_600_000))*time.Millisecond
	job.State = leave.States()[random.IntN(len(leave.States()))]
	var err error
	stored, missing := s.Get(t.Context(), key)
	switch n := random.IntN(6); {
	case n == 0:
		_, err = s.Claim(t.Context(), "holder", now.Add(time.Hour), random.IntN(4))
	case n == 1:
		err = s.Merge(t.Context(), []leave.Job{job, job})
	case n == 2 || missing != nil:
		_, err = s.Put(t.Context(), job)
	case n == 3:
		err = s.Delete(t.Context(), stored)
	default:
		job.Version = stored.Version
		_, err = s.Save(t.Context(), job)
	}
	if err != nil && !errors.Is(err, leave.ErrSuperseded) && !errors.Is(err, leave.ErrConflict) {
		t.Error(err)
	}
}

// board returns the keys of all jobs in the random tests.
func board() (keys []leave.Key) {
	for i := range 24 {
		keys = append(keys, leave.Key{Room: sfu.Room(fmt.Sprint("room", i%5)), Identity: sfu.Identity(fmt.Sprint(i))})
	}
	return keys
}

// wantRecount checks that the counts of a store are right: it counts the jobs in the
// store anew and compares. The argument keys must contain the keys of all jobs.
func wantRecount(t *testing.T, s Store, keys []leave.Key) {
	t.Helper()
	var jobs []leave.Job
	occupied := map[sfu.Room]bool{}
	for _, key := range keys {
		job, err := s.Get(t.Context(), key)
		if errors.Is(err, leave.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
		if job.State == leave.Connected || job.State == leave.Leaving {
			occupied[job.Room] = true
		}
	}
	for _, player := range players {
		wantCounts(t, s, userID(t, player), jobs...)
	}
	if rooms, err := s.Rooms(t.Context()); err != nil || len(rooms) != len(occupied) {
		t.Errorf("Rooms = %q, %v, want %v", rooms, err, occupied)
	}
}

func countsAfterAnything(t *testing.T, s Store) {
	seed := rand.Uint64()
	random, now, keys := rand.New(rand.NewPCG(seed, 0)), start(), board()
	for i := range 600 {
		anything(t, s, random, keys[random.IntN(len(keys))], now)
		if i%20 == 19 {
			wantRecount(t, s, keys)
		}
		if t.Failed() {
			t.Fatalf("the errors above came after %d random writes with the seed %d", i+1, seed)
		}
	}
}

func countRace(t *testing.T, a, b Store) {
	now, keys := start(), board()
	race(a, b, func(i int, s Store) {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		for range 20 {
			anything(t, s, random, keys[random.IntN(len(keys))], now)
		}
	})
	wantRecount(t, a, keys)
	wantRecount(t, b, keys)
}
