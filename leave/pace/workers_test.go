package pace

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
)

const waitTime = 250 * time.Millisecond

// crowd is a homeserver that already has all the workers that it may have. Each
// function in release ends the work of one of them.
type crowd struct {
	*Workers
	server  matrix.ServerName
	release []func()
}

func newCrowd(t *testing.T, quick bool) *crowd {
	t.Helper()
	server, err := matrix.ParseServerName("example.org")
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{Workers: &Workers{}, server: server}
	if quick {
		c.Took(server, time.Millisecond)
	}
	for {
		release, ok := c.Take(server, Leave, time.Now())
		if !ok {
			return c
		}
		c.release = append(c.release, release)
	}
}

// TestAwaitOrder checks which waiting job gets the next free worker. It must be the
// most urgent job. Of equally urgent jobs, it must be the one that has waited longest.
func TestAwaitOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, true)
		var running sync.WaitGroup
		var order []Urgency
		for _, u := range []Urgency{Ordinary + 1, Ordinary, Ordinary + 1, Last, Leave, Ordinary} {
			running.Go(func() {
				release, ok := c.Await(c.server, u, waitTime, time.Now)
				if !ok {
					t.Errorf("Await with urgency %d: got no worker, want one", u)
					return
				}
				order = append(order, u) // there is no data race, because only one worker is free at a time
				release()
			})
			synctest.Wait()
		}
		time.Sleep(waitTime / 2)
		c.release[0]()
		running.Wait()
		if want := []Urgency{Last, Leave, Ordinary + 1, Ordinary + 1, Ordinary, Ordinary}; !slices.Equal(order, want) {
			t.Errorf("workers went to jobs of the urgencies %v, want %v", order, want)
		}
	})
}

// TestAwaitInVain has a homeserver at which no worker becomes free. If the homeserver
// is quick, a job must wait for waitTime. If the homeserver is not known to be quick,
// the job must not wait. At the end, Workers must have no waiting job and no worker.
func TestAwaitInVain(t *testing.T) {
	for _, c := range []struct {
		name  string
		quick bool
		want  time.Duration
	}{{"quick", true, waitTime}, {"unknown", false, 0}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crowd, began := newCrowd(t, c.quick), time.Now()
				if _, ok := crowd.Await(crowd.server, Leave, waitTime, time.Now); ok {
					t.Error("the job got a worker, want none: all are at work")
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("Await took %v, want %v", took, c.want)
				}
				for _, release := range crowd.release {
					release()
				}
				if len(crowd.waiting) > 0 || len(crowd.busy) > 0 {
					t.Errorf("after all were released: jobs wait at %d homeservers, and workers are at %d, want none", len(crowd.waiting), len(crowd.busy))
				}
			})
		})
	}
}

// TestAwaitFree has a free worker, so a job must not wait.
func TestAwaitFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, true)
		c.release[0]()
		began := time.Now()
		release, ok := c.Await(c.server, Ordinary, waitTime, time.Now)
		if took := time.Since(began); !ok || took != 0 {
			t.Fatalf("Await with a free worker: got a worker: %t, after %v; want one at once", ok, took)
		}
		release()
	})
}
