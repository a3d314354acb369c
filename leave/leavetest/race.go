package leavetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

const racers = 50

// race calls the function run from several goroutines at the same time, as many as the
// constant racers says. Half of the calls get the store a, and the other half get the
// store b.
func race(a, b Store, run func(i int, s Store)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range racers {
		s := a
		if i%2 == 1 {
			s = b
		}
		wg.Go(func() {
			<-begin
			run(i, s)
		})
	}
	close(begin)
	wg.Wait()
}

// tally counts how often each key was added. Several goroutines may use it at the same
// time.
type tally[K comparable] struct {
	mu sync.Mutex
	n  map[K]int
}

func (c *tally[K]) add(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[K]int{}
	}
	c.n[k]++
}

// wantAll checks that the number of different keys is want, and that each key was
// added n times.
func (c *tally[K]) wantAll(t *testing.T, want, n int) {
	t.Helper()
	if len(c.n) != want {
		t.Errorf("got %d different keys, want %d", len(c.n), want)
	}
	for k, got := range c.n {
		if got != n {
			t.Errorf("the key %v was added %d times, want %d", k, got, n)
		}
	}
}

func claimRace(t *testing.T, a, b Store) {
	now := start()
	for i := range 500 {
		putDue(t, a, fmt.Sprint("d", i), now.Add(time.Duration(i%10)*time.Millisecond))
	}
	var claims tally[leave.Key]
	race(a, b, func(i int, s Store) {
		for {
			jobs, err := s.Claim(t.Context(), fmt.Sprint(i), now.Add(10*time.Millisecond), 7)
			if err != nil {
				t.Error(err)
			}
			if len(jobs) == 0 {
				return
			}
			for _, job := range jobs {
				claims.add(job.Key)
			}
		}
	})
	claims.wantAll(t, 500, 1)
}

// actionRace goes through some periods. In each period, goroutines claim the due jobs,
// and make each of them due in the next period. The test fails if two goroutines claim
// the same job in a period, or if nobody claims it.
func actionRace(t *testing.T, a, b Store) {
	const jobs, periods = 40, 5
	now := start()
	for i := range jobs {
		putDue(t, a, fmt.Sprint("d", i), now)
	}
	var actions tally[leave.Key]
	for range periods {
		race(a, b, func(i int, s Store) {
			for {
				claimed, err := s.Claim(t.Context(), fmt.Sprint(i), now, 3)
				if err != nil {
					t.Error(err)
				}
				if len(claimed) == 0 {
					return
				}
				for _, job := range claimed {
					actions.add(job.Key)
					job.Lease = leave.Lease{}
					if _, err := s.Save(t.Context(), dueAt(job, now.Add(time.Minute))); err != nil {
						t.Errorf("Save by the holder: got %v, want no error", err)
					}
				}
			}
		})
		now = now.Add(time.Minute)
	}
	actions.wantAll(t, jobs, periods)
}

// writeRace makes all goroutines add 1 to a number in one job. No addition may be lost.
func writeRace(t *testing.T, a, b Store) {
	job := putDue(t, a, "d1", start())
	race(a, b, func(_ int, s Store) {
		for {
			current, err := s.Get(t.Context(), job.Key)
			if err == nil {
				current.Looks++
				_, err = s.Save(t.Context(), current)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, leave.ErrConflict) {
				t.Error(err)
				return
			}
		}
	})
	if got := get(t, a, job.Key).Looks; got != racers {
		t.Errorf("got %d writes, want all %d", got, racers)
	}
}

func putRace(t *testing.T, a, b Store) {
	now := start()
	race(a, b, func(i int, s Store) {
		job := delegation(t, "room", "alice", fmt.Sprint("d", i), now.Add(time.Duration(i/2)*time.Millisecond))
		if _, err := s.Put(t.Context(), job); err != nil && !errors.Is(err, leave.ErrSuperseded) {
			t.Error(err)
		}
	})
	wantIDs(t, room(t, b, "room"), fmt.Sprint("d", racers-1))
	wantCount(t, a, userID(t, "@alice:example.org"), 1, 1)
}

// lifeRace makes jobs of one key come and go. A goroutine that has claimed a job ends
// the job. The test fails if a job is ended twice.
func lifeRace(t *testing.T, a, b Store) {
	now := start()
	var ended tally[string]
	race(a, b, func(i int, s Store) {
		job := dueAt(delegation(t, "room", "alice", fmt.Sprint("d", i), now.Add(time.Duration(i)*time.Hour)), now)
		if _, err := s.Put(t.Context(), job); err != nil && !errors.Is(err, leave.ErrSuperseded) {
			t.Error(err)
		}
		jobs, err := s.Claim(t.Context(), fmt.Sprint(i), now, 1)
		if err != nil {
			t.Error(err)
		}
		for _, job := range jobs {
			switch err := s.Delete(t.Context(), job); {
			case err == nil:
				ended.add(job.DelayID.String())
			case !errors.Is(err, leave.ErrConflict):
				t.Error(err)
			}
		}
	})
	ended.wantAll(t, len(ended.n), 1)
}

func roomRace(t *testing.T, a, b Store) {
	const rooms, intervals = 100, 3
	now := start()
	for i := range rooms {
		put(t, a, delegation(t, sfu.Room(fmt.Sprint("room", i)), "alice", "d", now))
	}
	var claims tally[sfu.Room]
	for range intervals {
		race(a, b, func(_ int, s Store) {
			for {
				claimed, err := s.ClaimRooms(t.Context(), now, time.Minute, 3)
				if err != nil {
					t.Error(err)
				}
				if len(claimed) == 0 {
					return
				}
				for _, room := range claimed {
					claims.add(room)
				}
			}
		})
		now = now.Add(time.Minute)
	}
	claims.wantAll(t, rooms, intervals)
}
