//go:build redis

package faults

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/leave/redisstore/redistest"
)

// failover is a loss that Redis itself, or its operator, mends.
type failover struct {
	url string
	// before is what is done some seconds before, so that what is written since
	// is lost; nil for nothing.
	before func(t *testing.T)
	// lose returns when another server has taken over.
	lose func(t *testing.T)
}

var failovers = map[string]func(t *testing.T) failover{
	"behind Sentinels the primary is killed": func(t *testing.T) failover {
		w := redistest.StartWatched(t, redistest.Passwords{})
		return failover{w.URL(), nil, func(t *testing.T) {
			w.Primary.Kill()
			w.Sentinels[0].Kill()
			w.AwaitPromoted(t)
		}}
	},
	"behind Sentinels the primary is killed, and the replica was behind": func(t *testing.T) failover {
		w := redistest.StartWatched(t, redistest.Passwords{})
		return failover{w.URL(), func(t *testing.T) { w.Replica.Freeze(t) }, func(t *testing.T) {
			w.Primary.Kill()
			w.Replica.Thaw(t)
			w.AwaitPromoted(t)
		}}
	},
	"in a cluster the node is killed": func(t *testing.T) failover {
		c := redistest.StartThree(t)
		return failover{c.URL(), nil, func(t *testing.T) {
			c.Holder.Kill()
			c.AwaitPromoted(t)
		}}
	},
	"in a cluster the slot is moved": func(t *testing.T) failover {
		c := redistest.StartThree(t)
		return failover{c.URL(), nil, func(t *testing.T) { c.MoveLeaves(t) }}
	},
	"Redis starts again from an old file": func(t *testing.T) failover {
		r := redistest.Start(t)
		return failover{r.URL(), func(t *testing.T) {
			r.Do(t, func(ctx context.Context, c *redis.Client) error { return c.Save(ctx).Err() })
		}, func(t *testing.T) {
			r.Kill()
			r.Restart(t)
		}}
	},
}

// TestFailover loses the Redis that three replicas share while members come and
// go. No request fails, no leave is lost or late, and none is sent twice.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, prepare := range failovers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const jobs, delay = 100, 18 * time.Second
			f := prepare(t)
			w := newWorld(t)
			w.set("LIVEKIT_STORE", "redis", "LIVEKIT_REDIS_URL", f.url)
			replicas := []*service{w.start(), w.start(), w.start()}
			w.mustEnter(jobs, "call", delay)
			await(t, waitTime, "that all are seen", func() bool { return w.restarted() == jobs })
			late := lag.Measure(t)
			asked := w.ask(2)
			stop := w.bustle(delay)
			if f.before != nil {
				f.before(t)
				w.hold(3 * time.Second)
			}
			f.lose(t)
			w.hold(3 * time.Second)
			stop()
			asked.mustSucceed(t)
			for _, s := range replicas {
				w.awaitMerged(s)
			}
			w.awaitSent(waitTime)
			w.hold(delay + time.Second)
			w.mustBeOnTime(delay, late())
			// A leave whose end is lost is asked for again. The homeserver says
			// that it was sent.
			if n := w.doubled(); n > 0 && f.before == nil {
				t.Errorf("leaves sent twice: got %d, want 0", n)
			}
		})
	}
}

// mustBeOnTime fails the test if a leave was without a restart for more than half
// of its delay, and what the machine was slow by.
func (w *world) mustBeOnTime(delay, slow time.Duration) {
	w.t.Helper()
	longest := latest(w, w.all())
	w.t.Logf("%d members came, %d are there; %v without a restart at most (this machine was slow by %v); %d leaves were asked for more than once",
		len(w.all()), len(w.inCall()), longest, slow, w.doubled())
	if longest > delay/2+slow {
		w.t.Errorf("a leave of %v was without a restart for %v, want half of that at most", delay, longest)
	}
}
