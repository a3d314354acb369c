package standby_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
)

// Each test with random outages runs several times. These flags say how often, and with
// which seeds.
var (
	seeds     = flag.Uint64("seeds", 0, "how many random runs each test makes; 0 means the test's default")
	firstSeed = flag.Uint64("seed", 0, "the seed of the first run")
)

// eachSeed runs test in virtual time for several seeds. n is the usual number of seeds.
func eachSeed(t *testing.T, n uint64, test func(t *testing.T, seed uint64)) {
	for i := range cmp.Or(*seeds, n) {
		seed := *firstSeed + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, seed) })
		})
	}
}

// TestNothingIsLost has many goroutines that write jobs through two replicas, while the
// store fails again and again. At the end, the store must have what each goroutine has
// written last.
func TestNothingIsLost(t *testing.T) { eachSeed(t, 20, comeAndGo) }

func comeAndGo(t *testing.T, seed uint64) {
	here := newFaulty()
	there := here.another()
	a, b := open(t, here), open(t, there)
	results := make([][]wanted, 40)
	var workers sync.WaitGroup
	for i := range results {
		s := leave.Store(a)
		if i%2 == 1 {
			s = b
		}
		workers.Go(func() { results[i] = worker(t, s, fmt.Sprint("worker", i), rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	random := rand.New(rand.NewPCG(seed, 1000))
	for range 30 {
		time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
		what := []fault{fails, hangs, mute}[random.IntN(3)]
		here.set(what)
		if random.IntN(3) > 0 { // in one of three cases, only the first replica cannot reach the store
			there.set(what)
		}
		time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
		if random.IntN(4) == 0 {
			here.set(fails)
			there.set(fails)
			time.Sleep(time.Second) // after this time, no call is running
			forget(t, here, there)
		}
		here.set(none)
		there.set(none)
	}
	workers.Wait()
	// If the store has lost its jobs, a replica does not notice this until it calls
	// the store.
	tick(t, a)
	tick(t, b)
	time.Sleep(soon)
	wantDegraded(t, a, false)
	wantDegraded(t, b, false)
	for _, result := range results {
		for _, w := range result {
			w.check(t, here)
		}
	}
}

// wanted is how a job must be in the store at the end.
type wanted struct {
	key   leave.Key
	ended bool
	looks int
}

func (w wanted) check(t *testing.T, s leave.Store) {
	t.Helper()
	j, err := s.Get(t.Context(), w.key)
	if ended := err != nil; ended != w.ended || j.Looks != w.looks {
		t.Errorf("the job %s in the store: got ended %v (%v) and %d writes, want ended %v and %d writes", w.key.Room, ended, err, j.Looks, w.ended, w.looks)
	}
}

// worker stores jobs in s, writes each job several times, and ends most of them. It
// returns how each job must be at the end.
func worker(t *testing.T, s leave.Store, name string, random *rand.Rand) (results []wanted) {
	begin := time.Now()
	for n := 0; time.Since(begin) < 2*time.Minute; n++ {
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		j := job(t, fmt.Sprint(name, " ", n))
		put(t, s, j)
		w := wanted{key: j.Key}
		j = get(t, s, j.Key)
		for range random.IntN(6) {
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
			w.looks++
			write(t, s, j, func(j leave.Job) leave.Job {
				j.Looks = w.looks
				return j
			})
		}
		if random.IntN(3) > 0 {
			end(t, s, j)
			w = wanted{key: j.Key, ended: true}
		}
		results = append(results, w)
	}
	return results
}
