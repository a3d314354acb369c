package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

var apiKey = sfu.Key{ID: "faults", Secret: secret.New("a-secret-of-the-faults-0123456789abc")}

// world is what is around the service, and its processes.
type world struct {
	// mayFire says that the homeserver is so long away, or so slow, that a
	// leave of somebody who has gone may be sent by itself.
	mayFire bool

	t          *testing.T
	homeserver *matrixtest.Server
	sfu        *sfutest.Server
	dir        string
	env        map[string]string // of every process
	client     *http.Client

	mu       sync.Mutex
	services []*service // those that clients and webhooks are sent to
	started  int        // how many processes ever were
	members  []*member
	number   int     // of delayed events
	refused  []error // why those were not taken over that were handed over in bustle
}

// newWorld returns a world without a process. Further variables, name after
// value, are for all processes.
func newWorld(t *testing.T, env ...string) *world {
	t.Helper()
	w := &world{
		t: t, homeserver: matrixtest.NewServer(), sfu: sfutest.NewServer(apiKey), dir: t.TempDir(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: waitTime},
	}
	t.Cleanup(w.homeserver.Close)
	t.Cleanup(w.sfu.Close)
	t.Cleanup(w.client.CloseIdleConnections)
	ca := filepath.Join(w.dir, "ca.pem")
	if err := os.WriteFile(ca, w.homeserver.CACert(), 0o644); err != nil {
		t.Fatal(err)
	}
	w.env = map[string]string{
		"LIVEKIT_URL": w.sfu.URL(), "LIVEKIT_KEY": apiKey.ID, "LIVEKIT_SECRET": apiKey.Secret.Reveal(),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": w.homeserver.Name().String(), "LIVEKIT_CA_FILE": ca,
		"LIVEKIT_JWT_BIND": "127.0.0.1:0", "LIVEKIT_RATE_LIMIT": "off", "LIVEKIT_STORE": "file:" + w.file(),
		// What was not reported is found soon. (And then looked at once more,
		// twice as long after.)
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "2",
		// The bound is the subject of one test alone.
		"LIVEKIT_DELAYED_EVENT_RATE": "1000",
	}
	w.set(env...)
	return w
}

// set sets variables for the processes to come; an empty value removes one.
func (w *world) set(env ...string) {
	for pair := range slices.Chunk(env, 2) {
		w.env[pair[0]] = pair[1]
	}
}

// file is where the leaves are, unless a test has them elsewhere.
func (w *world) file() string { return filepath.Join(w.dir, "leaves.db") }

// launch starts a process, which may not come so far as to listen.
func (w *world) launch() *service {
	w.t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH")}
	for _, name := range slices.Sorted(maps.Keys(w.env)) {
		if value := w.env[name]; value != "" {
			env = append(env, name+"="+value)
		}
	}
	w.started++
	return launch(w.t, filepath.Join(w.dir, fmt.Sprintf("log%d", w.started)), env)
}

// start starts a process and has it serve.
func (w *world) start() *service {
	w.t.Helper()
	s := w.launch()
	s.awaitListening(w.t)
	w.serve(s)
	return s
}

// serve sends clients and webhooks to s, too.
func (w *world) serve(s *service) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.services = append(w.services, s)
}

// retire sends nobody to s any more.
func (w *world) retire(s *service) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.services = slices.DeleteFunc(slices.Clone(w.services), func(other *service) bool { return other == s })
}

// any returns a process that serves, nil while none does.
func (w *world) any() *service { return w.another(nil) }

// another returns a process other than s that serves, nil while none does.
func (w *world) another(s *service) *service {
	w.mu.Lock()
	defer w.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(w.services), func(other *service) bool { return other == s })
	if len(others) == 0 {
		return nil
	}
	return others[rand.IntN(len(others))]
}

// all are the members who ever came; inCall those who are in a call.
func (w *world) all() []*member {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.members)
}

func (w *world) inCall() []*member {
	return slices.DeleteFunc(w.all(), func(m *member) bool { return !m.isIn() })
}

// mustHold fails the test if a leave has been sent whose owner is in the call,
// or if any has fired.
func (w *world) mustHold() {
	w.t.Helper()
	for _, m := range w.all() {
		fate := w.homeserver.Fate(m.delayID)
		if m.isIn() && fate.Over != "" {
			w.t.Fatalf("%s is in the call, and their leave was %s, after %d restarts, %v apart at most", m.identity, fate.Over, fate.Restarts, fate.Late)
		}
		if fate.Over == "fired" && !w.mayFire {
			w.t.Fatalf("%s has left, and their leave was not sent, but has fired, after %d restarts", m.identity, fate.Restarts)
		}
	}
}

// hold watches for so long that nobody is logged out.
func (w *world) hold(d time.Duration) {
	w.t.Helper()
	during(d, 50*time.Millisecond, w.mustHold)
}

// awaitSent waits until the leave of everybody who has gone is sent.
func (w *world) awaitSent(within time.Duration) {
	w.t.Helper()
	await(w.t, within, "that every leave is sent", func() bool {
		w.mustHold()
		return w.unsent() == 0
	})
}

// unsent is how many of those who have gone are still in the call for others.
func (w *world) unsent() (n int) {
	for _, m := range w.all() {
		if !m.isIn() && w.homeserver.Fate(m.delayID).Over == "" {
			n++
		}
	}
	return n
}

// doubled is how many requests to send a leave were made beyond the first.
func (w *world) doubled() (n int) {
	for _, m := range w.all() {
		n += max(0, w.homeserver.Fate(m.delayID).Sends-1)
	}
	return n
}

// latest is the longest time that a member's leave was without a restart.
func latest(w *world, members []*member) (late time.Duration) {
	for _, m := range members {
		late = max(late, w.homeserver.Fate(m.delayID).Late)
	}
	return late
}

// member is somebody who has delegated their leave and is, or was, in a call.
type member struct {
	w        *world
	request  map[string]any // for a token without delegation
	delayID  string
	room     sfu.Room
	identity sfu.Identity
	left     atomic.Bool // no longer in the call
}

func (m *member) isIn() bool { return !m.left.Load() }

// The reasons for which members go.
const (
	saidSo  = livekit.DisconnectReason_CLIENT_INITIATED
	broke   = livekit.DisconnectReason_SIGNAL_CLOSE
	deleted = livekit.DisconnectReason_ROOM_DELETED
)

// enter has somebody new delegate a leave and come into the call of a Matrix
// room; an error is that the service did not take the leave over.
func (w *world) enter(call string, delay time.Duration) (*member, error) {
	w.mu.Lock()
	w.number++
	number := w.number
	w.mu.Unlock()
	m := &member{w: w, delayID: fmt.Sprintf("syd_%d", number), request: w.newRequest(fmt.Sprintf("user%d", number), call)}
	w.homeserver.Schedule(m.delayID, delay)
	answer, err := w.delegate(m.request, m.delayID, delay)
	if err != nil {
		w.homeserver.Schedule(m.delayID, time.Hour) // the client goes on without us
		return nil, err
	}
	m.room, m.identity = answer.room, answer.identity
	joined := w.sfu.Join(m.room, m.identity)
	if joined == nil {
		return nil, fmt.Errorf("the SFU has no room for %s", m.identity)
	}
	w.mu.Lock()
	w.members = append(w.members, m)
	w.mu.Unlock()
	w.report(joined)
	return m, nil
}

// mustEnter has n members enter a call, some at a time.
func (w *world) mustEnter(n int, call string, delay time.Duration) []*member {
	w.t.Helper()
	members := make([]*member, n)
	each(n, func(i int) {
		var err error
		if members[i], err = w.enter(call, delay); err != nil {
			w.t.Errorf("delegating: %v", err)
		}
	})
	if w.t.Failed() {
		w.t.FailNow()
	}
	return members
}

// each calls do for 0 to n-1, some at a time.
func each(n int, do func(i int)) {
	var running sync.WaitGroup
	permits := make(chan struct{}, 16)
	for i := range n {
		permits <- struct{}{}
		running.Go(func() {
			do(i)
			<-permits
		})
	}
	running.Wait()
}

// vanish takes m off the SFU, which does not report it.
func (m *member) vanish() {
	m.left.Store(true) // first: from now on a leave is right
	m.w.sfu.Vanish(m.room, m.identity)
}

// leave takes m off the SFU, which reports it.
func (m *member) leave(reason livekit.DisconnectReason) {
	m.left.Store(true) // first: from now on a leave is right
	if left := m.w.sfu.Leave(m.room, m.identity, reason); left != nil {
		m.w.report(left)
	}
}

// comeBack connects m once more, as a new session. It reports whether the SFU
// had the room.
func (m *member) comeBack() bool {
	joined := m.w.sfu.Join(m.room, m.identity)
	if joined != nil {
		m.w.report(joined)
	}
	return joined != nil
}
