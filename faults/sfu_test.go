package faults

import (
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/sfu/sfutest"
)

// flapTime is how long these tests wait until all leaves are sent after an outage of
// the SFU. On a busy machine, the SFU of the tests sometimes needs more than 1 s for an
// answer. To the service that is another outage, after which it first waits 15 s for
// clients that come back.
const flapTime = 4 * waitTime

// TestSFUHangs checks what happens while the SFU does not answer for 10 s. No
// leave of a member in the call may be sent. When the SFU answers again, the
// leaves of all members who have left must be sent.
func TestSFUHangs(t *testing.T) {
	t.Parallel()
	const delay = 18 * time.Second
	w := newWorld(t)
	s := w.start()
	members := w.mustEnter(20, "call", delay)
	w.sfu.FailAlways(sfutest.Hang())
	members[0].leave(saidSo)
	members[1].leave(deleted)
	members[2].leave(broke)
	members[3].vanish()
	await(t, waitTime, "that it is degraded", func() bool { return w.health(s) == "degraded" })
	w.hold(10 * time.Second)
	w.sfu.FailAlways(nil)
	await(t, waitTime, "that it is well again", func() bool { return w.health(s) == "ok" })
	w.awaitSent(flapTime)
	w.hold(delay + time.Second)
}

// TestSFURestarts checks what happens if the SFU comes back without its rooms.
// The service must create the rooms again, so that clients can come back. It
// must send the leaves of members who do not come back. In one case, a proxy in
// front of the SFU answers 502 while the SFU is away.
func TestSFURestarts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outage time.Duration
		proxy  bool
	}{
		"away for 10 s": {outage: 10 * time.Second}, "at once": {},
		"behind a proxy": {outage: 10 * time.Second, proxy: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const delay, calls = 18 * time.Second, 5
			w := newWorld(t)
			if c.proxy {
				w.set("LIVEKIT_INTERNAL_URL", w.proxy())
			}
			s := w.start()
			for _, call := range []string{"a", "b", "c", "d", "e"} {
				w.mustEnter(6, call, delay)
			}
			await(t, waitTime, "that all are seen", func() bool { return w.restarted() == calls*6 })
			made := w.sfu.Calls("CreateRoom")
			w.sfu.Down()
			w.sfu.Forget()
			if c.proxy {
				await(t, waitTime, "that it is degraded", func() bool { return w.health(s) == "degraded" })
			}
			w.hold(c.outage)
			w.sfu.Up()
			await(t, waitTime, "that the rooms are made again", func() bool { return len(w.sfu.Rooms()) == calls })
			w.comeBackSlowly()
			w.awaitSent(flapTime)
			w.hold(delay + time.Second)
			t.Logf("the service created %d rooms again with %d calls", calls, w.sfu.Calls("CreateRoom")-made)
		})
	}
}

// proxy starts a reverse proxy in front of the SFU, and returns the proxy's
// URL.
func (w *world) proxy() string {
	proxy := httputil.NewSingleHostReverseProxy(w.sfu.APIURL())
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	// The proxy opens a new connection to the SFU for each request. So it notices
	// immediately when the SFU is away.
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	server := httptest.NewServer(proxy)
	w.t.Cleanup(server.Close)
	return server.URL
}

// restarted returns how many leaves were restarted at least once.
func (w *world) restarted() (n int) {
	for _, m := range w.all() {
		if w.homeserver.Fate(m.delayID).Restarts > 0 {
			n++
		}
	}
	return n
}

// comeBackSlowly makes members come back within 10 s. Every sixth member does
// not come back.
func (w *world) comeBackSlowly() {
	w.t.Helper()
	var running sync.WaitGroup
	for i, m := range w.all() {
		if i%6 == 0 {
			m.vanish()
			continue
		}
		running.Go(func() {
			<-time.After(rand.N(9 * time.Second))
			if !m.comeBack() {
				w.t.Errorf("%s cannot come back: the SFU does not have the room", m.identity)
			}
		})
	}
	w.hold(9 * time.Second)
	running.Wait()
}
