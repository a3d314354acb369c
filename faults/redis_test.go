//go:build redis

package faults

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/leave/redisstore/redistest"
)

// answerTime is how long a request may take while Redis is away: the second
// that it is given, and something for the rest. What this machine is slow by at
// its worst comes on top; the second itself is proven in virtual time, in
// leave/standby.
const answerTime = 1500 * time.Millisecond

// TestRedisOutage has Redis be away while members come and go. Tokens do not
// notice, nobody is logged out, new leaves are taken over; when it is back it
// is given everything, by a process that never restarted.
func TestRedisOutage(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]func(t *testing.T, w *world, r *redistest.Server){
		"killed": func(t *testing.T, w *world, r *redistest.Server) {
			r.Kill()
			w.outage(10 * time.Second)
			r.Restart(t)
		},
		"restarted empty": func(t *testing.T, w *world, r *redistest.Server) {
			r.Kill()
			r.Restart(t)
			w.outage(time.Second)
		},
		"frozen": func(t *testing.T, w *world, r *redistest.Server) {
			r.Freeze(t)
			w.outage(30 * time.Second)
			r.Thaw(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const delay = 18 * time.Second
			r := redistest.Start(t)
			w := newWorld(t)
			w.useRedis(r)
			s := w.start()
			w.mustEnter(20, "call", delay)
			await(t, waitTime, "that all are seen", func() bool { return w.restarted() == 20 })
			outage(t, w, r)
			w.awaitMerged(s)
			w.awaitSent(waitTime)
			w.hold(delay / 3)

			// All of it is in Redis: a stranger goes on from there.
			w.retire(s)
			s.kill()
			w.start()
			w.inCall()[0].vanish()
			w.hold(delay + time.Second)
			w.awaitSent(waitTime)
			t.Logf("%d of %d members are there; %d leaves were asked for more than once", len(w.inCall()), len(w.all()), w.doubled())
		})
	}
}

func (w *world) useRedis(r *redistest.Server) {
	w.set("LIVEKIT_STORE", "redis", "LIVEKIT_REDIS_URL", r.URL())
}

// outage goes on for so long: every half second somebody new comes, and some
// leave; tokens are issued all the time.
func (w *world) outage(d time.Duration) {
	w.t.Helper()
	late := lag.Measure(w.t)
	s := w.any()
	degraded, round := false, 0
	var members []time.Duration
	stop := w.askForTokens()
	during(d, 500*time.Millisecond, func() {
		began := time.Now()
		w.mustEnter(1, "call", 18*time.Second)
		members = append(members, time.Since(began))
		if round++; round%8 == 0 {
			w.inCall()[0].leave(saidSo)
			w.inCall()[1].leave(broke)
			w.inCall()[2].vanish()
		}
		degraded = degraded || w.health(s) == "degraded"
		w.mustHold()
	})
	tokens := stop()
	slices.Sort(tokens)
	slices.Sort(members)
	most, longest := tokens[len(tokens)*95/100], tokens[len(tokens)-1]
	w.t.Logf("%d tokens, 95 of 100 within %v, all within %v; %d new members within %v, all within %v",
		len(tokens), most, longest, len(members), members[len(members)*95/100], members[len(members)-1])
	limit := answerTime + late()
	if most > limit {
		w.t.Errorf("tokens, which need no Redis, take longer than %v", limit)
	}
	// Tokens never touch Redis: the longest that one took is how far this
	// machine lags.
	if limit := limit + longest; members[len(members)-1] > limit {
		w.t.Errorf("a delegation takes longer than %v", limit)
	}
	if members[len(members)*95/100] > limit {
		w.t.Errorf("delegations take longer than %v", limit)
	}
	if !degraded && d > time.Second {
		w.t.Error("/healthz never said degraded")
	}
}

// askForTokens asks for tokens without delegation, one after the other, until
// stop, which tells how long each took. It ends with the test at the latest.
func (w *world) askForTokens() (stop func() []time.Duration) {
	stopped, done := make(chan struct{}), make(chan struct{})
	var took []time.Duration
	request := w.newRequest("asking", "call")
	go func() {
		defer close(done)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-stopped:
				tick.Stop()
				return
			case <-tick.C:
			}
			began := time.Now()
			if _, err := w.token(request); err != nil {
				w.t.Errorf("a token: %v", err)
			}
			took = append(took, time.Since(began))
		}
	}()
	end := sync.OnceFunc(func() { close(stopped); <-done })
	w.t.Cleanup(end)
	return func() []time.Duration {
		end()
		return took
	}
}

// awaitMerged waits until the process is well, and nothing is in its memory
// alone.
func (w *world) awaitMerged(s *service) {
	w.t.Helper()
	last := ""
	await(w.t, waitTime, "that everything is merged", func() bool {
		w.mustHold()
		now, err := w.status(s)
		last = fmt.Sprint(w.health(s), now, err)
		return err == nil && now.Leaves.Store.State == "ok" && now.Leaves.Store.Unmerged == 0 && w.health(s) == "ok"
	})
	w.t.Logf("after the outage: %s", last)
}

// status is the part of /_status that matters here.
type status struct {
	Leaves struct {
		Store struct {
			State    string
			Unmerged int
		}
		SFUAnswers bool `json:"sfu_answers"`
	}
}

// status asks as the holder of the API key.
func (w *world) status(s *service) (now status, err error) {
	err = w.get(s, "/_status", &now)
	return now, err
}
