package faults

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"
)

// TestHomeserverOutage has the homeserver manage no delayed events for 12 s of
// a delay of 18 s. Nobody is logged out, and who left meanwhile leaves after.
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
			w := newWorld(t, "LIVEKIT_DELAYED_EVENT_RATE", "") // as operators have it
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
			// A homeserver that limits gets one request a second: the restarts of
			// who is in the call come first, and a leave may fire before its turn.
			w.awaitSent(delay + waitTime)
			w.hold(delay + time.Second)
			t.Logf("at most %v without a restart", latest(w, w.inCall()))
		})
	}
}

// answering has every request about a delayed event answered with an error.
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

// TestHomeserversHang has several homeservers answer nothing, each with as many
// leaves as its budget carries. At another nobody is logged out for that, and
// who leaves is gone.
func TestHomeserversHang(t *testing.T) {
	t.Parallel()
	const servers, crowd, delay = 8, 60, 30 * time.Second
	w := newWorld(t, "LIVEKIT_DELAYED_EVENT_RATE", "") // as operators have it
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
	t.Logf("%d restarts at those that hang; the others were at most %v without one", asked, late)
	if late > delay*2/3 {
		t.Errorf("a leave with a delay of %v: got %v without a restart, want at most %v", delay, late, delay*2/3)
	}
}

// crowdAt has n users of another homeserver delegate a leave and come into the
// call. What becomes of them is nobody's concern.
func (w *world) crowdAt(homeserver *matrixtest.Server, call string, n int, delay time.Duration) {
	w.t.Helper()
	each(n, func(i int) {
		id := fmt.Sprintf("%s_%d", call, i)
		homeserver.Schedule(id, delay)
		who, err := w.delegate(requestAt(homeserver, id, call), id, delay)
		if err != nil {
			w.t.Errorf("delegating: %v", err)
			return
		}
		w.report(w.sfu.Join(who.room, who.identity))
	})
}

// hanging has no request about a delayed event answered.
func hanging(w *world) (mend func()) { return hangs(w.homeserver) }

func hangs(homeserver *matrixtest.Server) (mend func()) {
	mended := make(chan struct{})
	homeserver.ScriptDelayed(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice when the caller leaves
		select {
		case <-r.Context().Done():
			return true
		case <-mended:
			return false // the homeserver does now what it was asked for
		}
	})
	return func() {
		homeserver.ScriptDelayed(nil)
		close(mended)
	}
}
