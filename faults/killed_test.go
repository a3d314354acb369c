package faults

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestKilled checks that no accepted leave is lost if the process is killed at
// random moments and started again. Meanwhile, members come and go.
func TestKilled(t *testing.T) {
	t.Parallel()
	const rounds, delay = 5, 24 * time.Second
	w := newWorld(t)
	w.start()
	w.mustEnter(10, "call", delay)
	for range rounds {
		stop := w.bustle(delay)
		during(rand.N(1500*time.Millisecond), 50*time.Millisecond, w.mustHold)
		s := w.any()
		w.retire(s)
		s.kill()
		stop()
		w.someGoUnnoticed()
		w.start()
	}
	w.awaitSent(waitTime)
	w.hold(delay + time.Second)
	t.Logf("%d members, %d of them still there; %d leaves were asked for more than once", len(w.all()), len(w.inCall()), w.doubled())
}

// bustle makes members come, leave, and come back with new sessions. It does
// this until the returned function stop is called.
func (w *world) bustle(delay time.Duration) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stopped:
				return
			case <-time.After(rand.N(40 * time.Millisecond)):
				w.step(delay)
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}

// step makes one random thing happen in a call.
func (w *world) step(delay time.Duration) {
	in := w.inCall()
	m := in[rand.IntN(len(in))]
	switch n := rand.IntN(10); {
	case n < 5 || len(in) < 5:
		if _, err := w.enter("call", delay); err != nil { // the service did not take over the leave, so nobody joined the call
			w.mu.Lock()
			w.refused = append(w.refused, err)
			w.mu.Unlock()
		}
	case n < 7:
		m.leave(saidSo)
	case n < 9:
		m.leave(broke)
	default:
		m.comeBack()
	}
}

// someGoUnnoticed makes some members leave, and makes some others come back
// with new sessions. The SFU sends no webhooks about them.
func (w *world) someGoUnnoticed() {
	in := w.inCall()
	for i, m := range in[:min(4, len(in)-1)] {
		if i%2 == 0 {
			m.vanish()
		} else {
			w.sfu.Vanish(m.room, m.identity)
			w.sfu.Join(m.room, m.identity)
		}
	}
}
