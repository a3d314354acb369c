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

// failover is the loss of a Redis server, after which Redis or its operator
// provides another server.
type failover struct {
	url string
	// before may be nil. If it is not nil, the test calls it some seconds before
	// lose. Redis loses everything that the service writes between these two
	// calls.
	before func(t *testing.T)
	// lose makes the Redis server disappear, and waits until another server has
	// taken over.
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

// replication is how long the test expects that a Redis replica takes to get what
// the primary has written. The test also allows for the lag of a slow machine.
const replication = 500 * time.Millisecond

// TestFailover checks that no request fails while three replicas lose their
// Redis server, and that no leave is lost or late. Members come and go all the
// time. A leave may be sent twice only if the new Redis server did not know
// that it was sent.
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
			lost := time.Now()
			f.lose(t)
			w.hold(3 * time.Second)
			stop()
			asked.mustSucceed(t)
			for _, s := range replicas {
				w.awaitMerged(s)
			}
			w.awaitSent(waitTime)
			w.hold(delay + time.Second)
			slow := late()
			w.mustBeOnTime(delay, slow)
			// A replica sends a leave again if Redis has lost the record that the leave
			// was sent. Then the homeserver answers that the leave was already sent.
			// This check skips leaves that were sent right before the loss, because the
			// new Redis server may not have their records.
			kept := lost.Add(-replication - slow)
			if n := w.doubledBefore(kept); n > 0 && f.before == nil {
				t.Errorf("leaves sent twice, of those sent %v or more before the loss: got %d, want 0", lost.Sub(kept), n)
			}
		})
	}
}

// mustBeOnTime fails the test if too much time passed between two restarts of a
// leave. The limit is delay/2 + slow. delay is the delay of the leaves, and
// slow is how late this machine was, because it was busy.
func (w *world) mustBeOnTime(delay, slow time.Duration) {
	w.t.Helper()
	longest := latest(w, w.all())
	w.t.Logf("%d members came, %d are there; %v without a restart at most (this machine was slow by %v); %d leaves were asked for more than once",
		len(w.all()), len(w.inCall()), longest, slow, w.doubled())
	if longest > delay/2+slow {
		w.t.Errorf("a leave with the delay %v was not restarted for %v, want at most %v", delay, longest, delay/2+slow)
	}
}

// doubledBefore counts the requests that tried to send a leave again. It counts
// only leaves that the homeserver sent earlier than the given time.
func (w *world) doubledBefore(then time.Time) (n int) {
	for _, m := range w.all() {
		if fate := w.homeserver.Fate(m.delayID); fate.Over == "sent" && fate.At.Before(then) {
			n += max(0, fate.Sends-1)
		}
	}
	return n
}
