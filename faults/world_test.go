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

// world holds the processes of the service, a homeserver, an SFU, and the
// members of calls.
type world struct {
	// If mayFire is true, the leaves of members who have left may fire before the
	// service sends them. Tests set it if the homeserver is away or slow.
	mayFire bool

	t          *testing.T
	homeserver *matrixtest.Server
	sfu        *sfutest.Server
	dir        string
	env        map[string]string // the environment of every process
	client     *http.Client

	mu       sync.Mutex
	services []*service // the processes that get client requests and webhooks
	started  int        // how many processes were ever started
	members  []*member
	number   int     // the number of delayed events so far
	refused  []error // the errors of leaves that the service refused while bustle ran
}

// newWorld returns a world in which no process runs yet. env holds additional
// environment variables for all processes, each as a name and then a value.
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
		// The service asks the SFU about each room every 2 s. So it soon finds
		// members who have left without a webhook.
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "2",
		// Most tests are not about the limit on requests to a homeserver.
		"LIVEKIT_DELAYED_EVENT_RATE": "1000",
	}
	w.set(env...)
	return w
}

// set sets environment variables of processes that start later. An empty value
// removes a variable.
func (w *world) set(env ...string) {
	for pair := range slices.Chunk(env, 2) {
		w.env[pair[0]] = pair[1]
	}
}

// file returns the path of the file in which the processes keep leaves. Tests
// with Redis do not use this file.
func (w *world) file() string { return filepath.Join(w.dir, "leaves.db") }

// launch starts a process, and does not wait until it listens.
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

// start starts a process and waits until it listens. From then on, the process
// gets requests.
func (w *world) start() *service {
	w.t.Helper()
	s := w.launch()
	s.awaitListening(w.t)
	w.serve(s)
	return s
}

// serve makes s one of the processes that get client requests and webhooks.
func (w *world) serve(s *service) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.services = append(w.services, s)
}

// retire takes s out of the processes that get client requests and webhooks.
func (w *world) retire(s *service) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.services = slices.DeleteFunc(slices.Clone(w.services), func(other *service) bool { return other == s })
}

// any returns one of the processes that get requests, chosen at random. The
// result is nil if there is no such process.
func (w *world) any() *service { return w.another(nil) }

// another returns one of the processes that get requests, chosen at random, but
// not s. The result is nil if there is no such process.
func (w *world) another(s *service) *service {
	w.mu.Lock()
	defer w.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(w.services), func(other *service) bool { return other == s })
	if len(others) == 0 {
		return nil
	}
	return others[rand.IntN(len(others))]
}

// all returns all members who ever came.
func (w *world) all() []*member {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.members)
}

func (w *world) inCall() []*member {
	return slices.DeleteFunc(w.all(), func(m *member) bool { return !m.isIn() })
}

// mustHold fails the test if the leave of a member in the call was sent, has
// fired or was cancelled. It also fails the test if the leave of a member who
// has left has fired, except if mayFire is true.
func (w *world) mustHold() {
	w.t.Helper()
	for _, m := range w.all() {
		fate := w.homeserver.Fate(m.delayID)
		if m.isIn() && fate.Over != "" {
			w.t.Fatalf("the leave of %s, who is in the call, was %s after %d restarts, of which two were %v apart; want it to wait", m.identity, fate.Over, fate.Restarts, fate.Late)
		}
		if fate.Over == "fired" && !w.mayFire {
			w.t.Fatalf("the leave of %s, who has left, fired after %d restarts, want it sent before", m.identity, fate.Restarts)
		}
	}
}

// hold calls mustHold again and again for the time d.
func (w *world) hold(d time.Duration) {
	w.t.Helper()
	during(d, 50*time.Millisecond, w.mustHold)
}

// awaitSent waits until the leaves of all members who have left are sent.
func (w *world) awaitSent(within time.Duration) {
	w.t.Helper()
	await(w.t, within, "that every leave is sent", func() bool {
		w.mustHold()
		return w.unsent() == 0
	})
}

// unsent counts the leaves that still wait at the homeserver although their
// members have left.
func (w *world) unsent() (n int) {
	for _, m := range w.all() {
		if !m.isIn() && w.homeserver.Fate(m.delayID).Over == "" {
			n++
		}
	}
	return n
}

// doubled returns how many requests tried to send a leave again.
func (w *world) doubled() (n int) {
	for _, m := range w.all() {
		n += max(0, w.homeserver.Fate(m.delayID).Sends-1)
	}
	return n
}

// latest looks at the leaves of the given members. It returns the longest time
// that one of these leaves was not restarted.
func latest(w *world, members []*member) (late time.Duration) {
	for _, m := range members {
		late = max(late, w.homeserver.Fate(m.delayID).Late)
	}
	return late
}

// member is a person who has delegated a leave and is, or was, in a call.
type member struct {
	w        *world
	request  map[string]any // the body of a token request without a delegation
	delayID  string
	room     sfu.Room
	identity sfu.Identity
	left     atomic.Bool // the member is no longer in the call
}

func (m *member) isIn() bool { return !m.left.Load() }

// Members leave the call for these reasons.
const (
	saidSo  = livekit.DisconnectReason_CLIENT_INITIATED
	broke   = livekit.DisconnectReason_SIGNAL_CLOSE
	deleted = livekit.DisconnectReason_ROOM_DELETED
)

// enter makes a new member delegate a leave and join a call. It returns an error if
// the service refused the leave.
func (w *world) enter(call string, delay time.Duration) (*member, error) {
	w.mu.Lock()
	w.number++
	number := w.number
	w.mu.Unlock()
	m := &member{w: w, delayID: fmt.Sprintf("syd_%d", number), request: w.newRequest(fmt.Sprintf("user%d", number), call)}
	w.homeserver.Schedule(m.delayID, delay)
	answer, err := w.delegate(m.request, m.delayID, delay)
	if err != nil {
		w.homeserver.Schedule(m.delayID, time.Hour) // with this delay the delayed event does not fire during the test
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

// mustEnter makes n members enter a call, up to 16 of them at the same time.
func (w *world) mustEnter(n int, call string, delay time.Duration) []*member {
	w.t.Helper()
	members := make([]*member, n)
	each(n, func(i int) {
		var err error
		if members[i], err = w.enter(call, delay); err != nil {
			w.t.Errorf("delegating a leave and joining: got %v, want no error", err)
		}
	})
	if w.t.Failed() {
		w.t.FailNow()
	}
	return members
}

// each calls the function do with the numbers 0 to n-1. Up to 16 calls run at
// the same time.
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

// vanish removes m from the SFU. The SFU sends no webhook about that.
func (m *member) vanish() {
	m.left.Store(true) // set first, because the service may send the leave as soon as m is removed
	m.w.sfu.Vanish(m.room, m.identity)
}

// leave removes m from the SFU. The SFU sends a webhook about that.
func (m *member) leave(reason livekit.DisconnectReason) {
	m.left.Store(true) // set first, because the service may send the leave as soon as m is removed
	if left := m.w.sfu.Leave(m.room, m.identity, reason); left != nil {
		m.w.report(left)
	}
}

// comeBack makes m join again, with a new session. It reports whether the SFU
// still had the room.
func (m *member) comeBack() bool {
	joined := m.w.sfu.Join(m.room, m.identity)
	if joined != nil {
		m.w.report(joined)
	}
	return joined != nil
}
