package faults

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"
)

// TestHomeserverOutage checks what happens if the homeserver handles no
// requests about delayed events for 12 s. All leaves have a delay of 18 s. The
// leave of a member in the call must not fire. The leaves of members who have
// left must be sent after the outage.
func TestHomeserverOutage(t *testing.T) {
	t.Parallel()
	refuse := func(w *world) (mend func()) {
		w.homeserver.Down()
		return w.homeserver.Up
	}
	for name, begin := range map[string]func(*world) (mend func()){
		"error 500": answering(http.StatusInternalServerError, ""),
		"error 503": answering(http.StatusServiceUnavailable, ""),
		"limiting":  answering(http.StatusTooManyRequests, "1"),
		"hanging":   hanging,
		"refusing":  refuse,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const delay, outage = 18 * time.Second, 12 * time.Second
			w := newWorld(t, "LIVEKIT_DELAYED_EVENT_RATE", "") // "" stands for the default rate
			w.mayFire = true
			w.start()
			members := w.mustEnter(16, "call", delay)
			await(t, waitTime, "that all are seen", func() bool { return w.restarted() == len(members) })
			mend := begin(w)
			w.hold(outage / 2)
			members[0].leave(saidSo)
			members[1].leave(broke)
			members[2].vanish()
			w.hold(outage / 2)
			mend()
			// A homeserver that limits requests gets one request per second. The service
			// first restarts the leaves of members in the call. So the leave of a member
			// who has left may fire before the service sends it.
			w.awaitSent(delay + waitTime)
			w.hold(delay + time.Second)
			t.Logf("the longest time without a restart: %v", latest(w, w.inCall()))
		})
	}
}

// answering returns a function that makes the homeserver answer every request
// about a delayed event with an error.
func answering(status int, retryAfter string) func(*world) (mend func()) {
	return func(w *world) func() {
		w.homeserver.ScriptDelayed(func(answer http.ResponseWriter, _ *http.Request, _, _ string) bool {
			if retryAfter != "" {
				answer.Header().Set("Retry-After", retryAfter)
			}
			answer.WriteHeader(status)
			_, _ = io.WriteString(answer, `{"errcode":"M_UNKNOWN","error":"not now"}`)
			return true
		})
		return func() { w.homeserver.ScriptDelayed(nil) }
	}
}

// TestHomeserversHang checks that leaves at one homeserver are still restarted
// and sent in time while eight other homeservers do not answer. Each of these
// eight homeservers has 60 leaves, with a delay of 30 s.
func TestHomeserversHang(t *testing.T) {
	t.Parallel()
	const servers, crowd, delay = 8, 60, 30 * time.Second
	w := newWorld(t, "LIVEKIT_DELAYED_EVENT_RATE", "") // "" stands for the default rate
	var others []*matrixtest.Server
	for range servers {
		other := matrixtest.NewServer(matrixtest.SignedBy(w.homeserver.CA()))
		t.Cleanup(other.Close)
		others = append(others, other)
		w.env["LIVEKIT_FULL_ACCESS_HOMESERVERS"] += "," + other.Name().String()
	}
	w.start()
	members := w.mustEnter(16, "call", delay)
	await(t, waitTime, "that all are seen", func() bool { return w.restarted() == len(members) })
	for i, other := range others {
		w.crowdAt(other, fmt.Sprint("crowd", i), crowd, 30*time.Second)
		t.Cleanup(hangs(other))
	}
	w.hold(2 * delay)
	for _, m := range members[:3] {
		m.leave(saidSo)
	}
	w.awaitSent(waitTime)
	w.hold(delay)
	asked := 0
	for _, other := range others {
		asked += other.Asked("restart")
	}
	late := latest(w, members)
	t.Logf("%d restarts at homeservers that hang; at the other one the longest time without a restart was %v", asked, late)
	if late > delay*2/3 {
		t.Errorf("a leave with a delay of %v: got %v without a restart, want at most %v", delay, late, delay*2/3)
	}
}

// crowdAt makes n users of another homeserver delegate leaves and join the
// call. The test does not check what happens to these leaves.
func (w *world) crowdAt(homeserver *matrixtest.Server, call string, n int, delay time.Duration) {
	w.t.Helper()
	each(n, func(i int) {
		id := fmt.Sprintf("%s_%d", call, i)
		homeserver.Schedule(id, delay)
		who, err := w.delegate(requestAt(homeserver, id, call), id, delay)
		if err != nil {
			w.t.Errorf("delegating a leave: got %v, want no error", err)
			return
		}
		w.report(w.sfu.Join(who.room, who.identity))
	})
}

// hanging makes w's homeserver stop answering requests about delayed events.
// The returned function mend ends this.
func hanging(w *world) (mend func()) { return hangs(w.homeserver) }

func hangs(homeserver *matrixtest.Server) (mend func()) {
	mended := make(chan struct{})
	homeserver.ScriptDelayed(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the caller has given up
		select {
		case <-r.Context().Done():
			return true
		case <-mended:
			return false // the homeserver now does what the request asks for
		}
	})
	return func() {
		homeserver.ScriptDelayed(nil)
		close(mended)
	}
}
