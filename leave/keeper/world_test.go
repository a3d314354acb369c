package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/keeper"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// world is a test set-up in virtual time: a keeper, and all that the keeper needs:
//   - an SFU
//   - a homeserver, which holds delayed events and sends them after their delay
//   - the client of one user
type world struct {
	t        *testing.T
	machine  clocktest.Machine
	clock    *clock.Clock // the clock of the keepers
	store    leave.Store
	keeper   *keeper.Keeper
	stop     context.CancelFunc
	ended    chan struct{}
	log      *slog.Logger
	interval time.Duration
	tick     time.Duration                     // for the field Keeper.Tick; 0 means the usual tick
	jitter   func(time.Duration) time.Duration // for the field Keeper.Jitter; nil means that the keeper shortens pauses at random
	silent   func()
	degraded func() bool
	shared   bool
	answers  keeper.Events // the keeper's connection to homeservers; nil means the world itself
	sfu      keeper.SFU    // the keeper's connection to the SFU; nil means the world itself (worldsfu_test.go)
	observe  func(action string, result matrix.Result, late time.Duration)
	nodes    counts // how often nodes gave each answer to the keeper's questions

	mu      sync.Mutex
	present sessions           // the sessions in the SFU's records
	gone    map[leave.Key]bool // the participants whose LiveKit node is gone
	reached []time.Time        // when the keeper asked nodes
	sfuDown bool
	proxied bool // whether a proxy keeps connections open when the SFU goes away
	// fault, if set, is called for each call to the SFU. It returns the error of that
	// call, or nil if the call succeeds.
	fault      func(call string, room sfu.Room) error
	line       chan struct{} // the connection to the SFU; the method set closes it when the SFU goes away
	asked      int
	created    []sfu.Room
	elsewhere  bool      // whether the SFU is on another machine than the keeper
	noRoom     sfu.Room  // a room that the SFU does not have; it overrides roomAt
	roomAt     time.Time // when the SFU created all rooms except noRoom; zero while the SFU has no rooms
	hsDown     bool
	budget     *pace.Budget
	retryAfter time.Duration // the Retry-After of the homeserver's answers if hsStatus is set
	failing    string        // the action that fails at the homeserver; "" means that no action fails
	hsStatus   matrix.Result // the result of every request to the homeserver; "" means that the result depends on the event
	events     map[string]*delayed
	calls      []string // the requests that the homeserver got, for example "restart d1"
}

// counts counts how often the method inc was called with each text. The zero value is
// ready to use.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) inc(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[name]++
}

func (c *counts) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[name]
}

// delayed is a delayed event that the homeserver holds.
type delayed struct {
	delay     time.Duration
	timer     *time.Timer
	restarted time.Time
	over      string // how the event ended: "sent" by a request, "fired" after its delay, or "cancelled"; "" while the event waits
	at        time.Time
}

var (
	key   = leave.Key{Room: "room", Identity: "alice"}
	grace = leave.Grace{Reconnect: time.Second, Outage: 15 * time.Second, Confirm: 15 * time.Second}
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memstore.New(), present: sessions{}, events: map[string]*delayed{}, line: make(chan struct{}), interval: time.Minute, log: slog.New(slog.DiscardHandler), budget: &pace.Budget{}}
	w.clock = w.machine.Clock()
	w.start()
	t.Cleanup(func() {
		w.stop()
		<-w.ended
		for _, e := range w.events {
			e.timer.Stop()
		}
	})
	return w
}

// start starts a new keeper, as a new process would.
func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.ended = cancel, make(chan struct{})
	var events keeper.Events = w
	if w.answers != nil {
		events = w.answers
	}
	var asked keeper.SFU = w
	if w.sfu != nil {
		asked = w.sfu
	}
	keeper := &keeper.Keeper{
		Store: w.store, Clock: w.clock, SFU: asked, Events: events, Holder: fmt.Sprint(time.Now().UnixNano()),
		Grace: grace, Interval: w.interval, Tick: w.tick, Jitter: w.jitter, Budget: w.budget,
		Log: w.log, Silent: w.silent, Shared: w.shared, Degraded: w.degraded, Observe: w.observe,
		NodeAsked: w.nodes.inc,
	}
	w.set(func() { w.keeper = keeper })
	ended := w.ended
	go func() {
		keeper.Run(ctx)
		close(ended)
	}()
}

// again stops the keeper, and starts a new one with the given Interval.
func (w *world) again(interval time.Duration) {
	w.stop()
	<-w.ended
	w.interval = interval
	w.start()
}

// hours makes the keeper search for due jobs only once a second. With the usual tick, a
// test of many virtual hours would take too many real seconds.
func (w *world) hours() {
	w.tick = time.Second
	w.again(w.interval)
}

// current returns the keeper that runs now.
func (w *world) current() *keeper.Keeper {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keeper
}

// delegate makes the client schedule a leave and delegate it. id is the leave's delay
// id.
func (w *world) delegate(id string, delay time.Duration) {
	w.t.Helper()
	w.schedule(id, delay)
	job := leave.New(key, user(w.t), delayID(w.t, id), delay, w.clock.Now())
	if err := w.current().Delegate(w.t.Context(), job, leave.Limits{PerUser: 100, All: 1000}); err != nil {
		w.t.Fatal(err)
	}
}

// schedule makes the homeserver store a delayed event. The event fires after delay.
func (w *world) schedule(id string, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &delayed{delay: delay, restarted: time.Now()}
	e.timer = time.AfterFunc(delay, func() { w.conclude(e, "fired") })
	w.events[id] = e
}

func (w *world) conclude(e *delayed, how string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.over == "" {
		e.over, e.at = how, time.Now()
	}
}

// fate returns what became of a delayed event, and when: "sent", "fired" or
// "cancelled", or "" if the event still waits.
func (w *world) fate(id string) (string, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[id].over, w.events[id].at
}

// join connects the participant to the SFU. The keeper gets no webhook.
func (w *world) join(session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.makeRoom()
	w.present.add(key, session)
}

// vanish removes the participant from the SFU. The keeper gets no webhook.
func (w *world) vanish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.present.remove(key)
}

func (w *world) report(event sfu.Kind, session string, reason sfu.Reason) {
	w.t.Helper()
	if err := w.current().Report(w.t.Context(), sfu.Event{Room: key.Room, Identity: key.Identity, Kind: event, Session: session, Reason: reason}); err != nil {
		w.t.Error(err)
	}
}

// set calls the function change while it holds w.mu. If change makes the SFU go away,
// set also ends the connection to the SFU.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	up := !w.sfuDown
	change()
	if up && w.sfuDown {
		w.endLine()
	}
}

func (w *world) count(call string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c == call {
			n++
		}
	}
	return n
}

var errDown = errors.New("connection refused")

func (w *world) Restart(_ context.Context, _ matrix.UserID, id matrix.DelayID) error {
	return w.manage("restart", id, func(e *delayed) {
		e.restarted = time.Now()
		e.timer.Reset(e.delay)
	})
}

func (w *world) Send(_ context.Context, _ matrix.UserID, id matrix.DelayID) error {
	return w.manage("send", id, func(e *delayed) { e.over, e.at = "sent", time.Now() })
}

func (w *world) Cancel(_ context.Context, _ matrix.UserID, id matrix.DelayID) error {
	return w.manage("cancel", id, func(e *delayed) { e.over, e.at = "cancelled", time.Now() })
}

func (w *world) manage(action string, id matrix.DelayID, do func(*delayed)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, action+" "+id.String())
	e := w.events[id.String()]
	switch {
	case w.hsDown, w.failing == action:
		return &matrix.DelayError{Result: matrix.ResultFailed, Err: errDown}
	case w.hsStatus != "":
		return &matrix.DelayError{Result: w.hsStatus, RetryAfter: w.retryAfter, Err: errors.New("scripted")}
	case e == nil || e.over != "":
		return &matrix.DelayError{Result: matrix.ResultGone, Status: 404, Err: errors.New("status 404")}
	}
	do(e)
	return nil
}

func user(t testing.TB) matrix.UserID {
	t.Helper()
	u, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func delayID(t testing.TB, s string) matrix.DelayID {
	t.Helper()
	id, err := matrix.ParseDelayID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
