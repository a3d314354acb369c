//go:build redis

package faults

import (
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/leave/redisstore/redistest"
)

// takeOverTime bounds how long it takes until other replicas have sent the
// leaves of a replica that has ended.
const takeOverTime = 15 * time.Second

// newReplicas returns a world with three processes that share one Redis.
func newReplicas(t *testing.T) (*world, *redistest.Server, []*service) {
	t.Helper()
	r := redistest.Start(t)
	w := newWorld(t)
	w.useRedis(r)
	return w, r, []*service{w.start(), w.start(), w.start()}
}

// TestReplicaKilled kills a replica four times, each time right after the
// replica has accepted reports that members left. It checks that other replicas
// send the leaves of these members.
func TestReplicaKilled(t *testing.T) {
	t.Parallel()
	const rounds, delay = 4, 18 * time.Second
	w, _, _ := newReplicas(t)
	w.mustEnter(60, "call", delay)
	for range rounds {
		s := w.any()
		w.retire(s)
		for range 5 {
			in := w.inCall()
			m := in[rand.IntN(len(in))]
			m.left.Store(true)
			event := w.sfu.Leave(m.room, m.identity, saidSo)
			if status := w.reportTo(s, event); status != http.StatusOK {
				t.Fatalf("a report: got status %d, want 200", status)
			}
		}
		s.kill()
		w.awaitSent(takeOverTime)
		w.mustEnter(5, "call", delay)
		w.start()
	}
	w.hold(delay + time.Second)
	t.Logf("the homeserver got %d repeated requests to send a leave", w.doubled())
}

// TestReplicaFrozen freezes a replica for longer than its leases last.
// Meanwhile, the other replicas must send the leaves of members who have left.
// When the replica runs again, it must not send the leave of a member in the
// call.
func TestReplicaFrozen(t *testing.T) {
	t.Parallel()
	const rounds, delay = 3, 12 * time.Second
	w, _, replicas := newReplicas(t)
	w.mustEnter(60, "call", delay)
	for round := range rounds {
		s := replicas[round]
		w.retire(s)
		s.signal(t, syscall.SIGSTOP)
		in := w.inCall()
		for i, m := range in[:12] {
			if i%3 == 0 {
				m.leave(saidSo)
			} else if i%3 == 1 {
				m.leave(broke)
			} else if !m.comeBack() {
				t.Errorf("%s: got it refused when it comes back, want it in the call", m.identity)
			}
		}
		w.awaitSent(takeOverTime)
		w.hold(delay / 2) // longer than any lease
		s.signal(t, syscall.SIGCONT)
		w.serve(s)
		w.mustEnter(8, "call", delay)
		w.hold(2 * time.Second)
	}
	w.hold(delay + time.Second)
	t.Logf("%d leaves were asked for more than once", w.doubled())
}

// TestRollingRestart replaces all replicas, one after another, while clients
// ask for tokens and members come and go. The clients are like a proxy: when a
// replica ends, they only notice that their connections are closed. No request
// may fail, no leave may be lost or late, and no leave may be sent twice.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	const jobs, delay = 200, 18 * time.Second
	w, _, replicas := newReplicas(t)
	w.mustEnter(jobs, "call", delay)
	late := lag.Measure(t)
	asked := w.ask(4)
	for _, old := range replicas {
		stop := w.bustle(delay)
		w.start()
		w.hold(500 * time.Millisecond)
		old.stop(t)
		w.retire(old)
		w.hold(500 * time.Millisecond)
		stop()
	}
	asked.mustSucceed(t)
	w.awaitSent(waitTime)
	w.hold(delay + time.Second)
	w.mustBeOnTime(delay, late())
	if n := w.doubled(); n > 0 {
		t.Errorf("%d leaves were sent twice, want 0", n)
	}
}

// TestReplicasAlone freezes the Redis server of three replicas. Each replica must
// go on with the leaves that it knows. A webhook may reach a replica that does not
// know the participant's leave. Even then the leave must be sent.
func TestReplicasAlone(t *testing.T) {
	t.Parallel()
	const delay = 18 * time.Second
	w, r, replicas := newReplicas(t)
	members := w.mustEnter(60, "call", delay)
	await(t, waitTime, "that all are seen", func() bool { return w.restarted() == len(members) })
	r.Freeze(t)
	stop := w.bustle(delay)
	w.hold(20 * time.Second)
	stop()
	r.Thaw(t)
	for _, s := range replicas {
		w.awaitMerged(s)
	}
	w.awaitSent(waitTime)
	w.hold(delay + time.Second)
	t.Logf("%d members came, %d are in the call; the homeserver got %d repeated requests to send a leave", len(w.all()), len(w.inCall()), w.doubled())
}
