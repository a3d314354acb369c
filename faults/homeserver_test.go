package faults

import (
	"io"
	"net/http"
	"testing"
	"time"
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
			await(t, patience, "that all are seen", func() bool { return w.restarted() == len(members) })
			mend := begin(w)
			w.hold(outage / 2)
			members[0].leave(saidSo)
			members[1].leave(broke)
			members[2].vanish()
			w.hold(outage / 2)
			mend()
			w.awaitSent(delay)
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

// hanging has no request about a delayed event answered.
func hanging(w *world) (mend func()) {
	mended := make(chan struct{})
	w.homeserver.ScriptDelayed(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice when the caller leaves
		select {
		case <-r.Context().Done():
			return true
		case <-mended:
			return false // the homeserver does now what it was asked for
		}
	})
	return func() {
		w.homeserver.ScriptDelayed(nil)
		close(mended)
	}
}
