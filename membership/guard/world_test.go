package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

var errAway = errors.New("no answer")

// person is a user in a Matrix room.
type person struct {
	room matrix.RoomID
	user matrix.UserID
}

func personOf(room, user string) person {
	r, err := matrix.ParseRoomID(room)
	if err != nil {
		panic(err)
	}
	u, err := matrix.ParseUserID(user)
	if err != nil {
		panic(err)
	}
	return person{r, u}
}

// alice is the person in most tests.
var alice = personOf("!room", "@alice:example.org")

func (p person) call() sfu.Room { return token.RoomName(p.room, matrix.RoomCall) }

func (p person) identity() sfu.Identity { return sfu.Identity(p.user.String() + ":DEV") }

// removal is a session that was removed from the SFU.
type removal struct {
	sid    string
	who    person
	at     time.Time
	called int // how many calls of Remove there were, including the one for this session
}

// world is a fake SFU and a fake homeserver. The guards in the tests use both.
type world struct {
	t      testing.TB
	sealer *ticket.Sealer
	issuer ticket.Issuer

	mu       sync.Mutex
	rooms    map[sfu.Room]map[sfu.Identity]sfu.Participant
	owners   map[string]person    // the person of each session; the keys are sids
	entered  map[string]time.Time // when each session began, by the guards' clock; the keys are sids
	sids     int
	ahead    time.Duration   // how much the SFU's clock is ahead of the guards' clock
	issued   time.Duration   // how much the clock of the replica that issues tokens is ahead of the guards' clock
	dead     map[string]bool // the sids of sessions that no node holds
	sfuTakes time.Duration   // how long the SFU takes to list the participants of a room
	sfuFails func(op string, room sfu.Room) bool
	calls    map[string]int
	removals []removal

	joined    map[person]bool
	silent    bool
	emptied   bool
	answer    func(p person, n int) (bool, error) // the answer to a question; nil for the true answer
	takes     time.Duration
	slow      matrix.RoomID          // the room whose member list takes a minute
	unseen    map[matrix.RoomID]bool // the rooms that the guards' account is not in, so the guards cannot ask about them
	lists     int                    // how many member lists were requested
	asked     []question
	forgotten int

	log logtest.Log
}

// question is a question that the homeserver got.
type question struct {
	person
	at time.Time
}

func newWorld(t testing.TB) *world {
	key := sfu.Key{ID: "key", Secret: secret.New("a-secret-of-the-tests-0123456789")}
	server, err := matrix.ParseServerName("example.org")
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, sealer: ticket.NewSealer([]sfu.Key{key}), issuer: ticket.IssuerOf(server),
		rooms: map[sfu.Room]map[sfu.Identity]sfu.Participant{}, owners: map[string]person{}, entered: map[string]time.Time{},
		dead: map[string]bool{}, calls: map[string]int{}, joined: map[person]bool{}, unseen: map[matrix.RoomID]bool{},
	}
}

// guard returns a guard of this world. It sweeps every 30 s.
func (w *world) guard() *guard.Guard {
	return &guard.Guard{
		SFU: w, Members: w, Tickets: w.sealer, Issuer: w.issuer, Board: &guard.Local{}, Holder: "one",
		Interval: 30 * time.Second, Jitter: func(d time.Duration) time.Duration { return d },
		Log: w.log.Logger(),
	}
}

// The function in runs a test in a synctest bubble. A guard runs in the same bubble.
func in(t *testing.T, test func(w *world, g *guard.Guard), change ...func(*guard.Guard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.guard()
		for _, c := range change {
			c(g)
		}
		end := run(t, g)
		defer end()
		test(w, g)
	})
}

func run(t testing.TB, g *guard.Guard) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// noSweeps makes a guard act only on joins and events.
func noSweeps(g *guard.Guard) { g.Interval = 0 }

// ticketOf returns the ticket in p's token.
func (w *world) ticketOf(p person) ticket.Ticket {
	return ticket.Ticket{Issuer: w.issuer, Room: p.room, User: p.user, By: ticket.Proxied, Joined: true, Issued: time.Now().Add(w.issued)}
}

// enter begins a session of p, with a token that is issued now.
func (w *world) enter(p person) sfu.Event {
	return w.enterWith(p.call(), p.identity(), p, w.sealer.Seal(w.ticketOf(p), ticket.Place{Room: p.call(), Identity: p.identity()}), false)
}

// beside begins a second session with p's token.
func (w *world) beside(p person, suffix string) sfu.Event {
	text := w.sealer.Seal(w.ticketOf(p), ticket.Place{Room: p.call(), Identity: p.identity()})
	return w.enterWith(p.call(), p.identity()+sfu.Identity("#"+suffix), p, text, false)
}

func (w *world) enterWith(room sfu.Room, identity sfu.Identity, p person, text string, machine bool) sfu.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sids++
	began := time.Now().Add(w.ahead)
	sid := fmt.Sprintf("PA_%06d", w.sids)
	if w.rooms[room] == nil {
		w.rooms[room] = map[sfu.Identity]sfu.Participant{}
	}
	w.owners[sid], w.entered[sid] = p, time.Now()
	w.rooms[room][identity] = sfu.Participant{Identity: identity, Session: sid, Since: began, Ticket: text, Machine: machine}
	return sfu.Event{Kind: sfu.KindJoined, Room: room, Identity: identity, Session: sid, Since: began, Ticket: text, Machine: machine}
}

// leave ends the session of an identity. If that was the last session in the
// room, the room ends, too.
func (w *world) leave(room sfu.Room, identity sfu.Identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(room, identity)
}

func (w *world) end(room sfu.Room, identity sfu.Identity) {
	delete(w.rooms[room], identity)
	if len(w.rooms[room]) == 0 {
		delete(w.rooms, room)
	}
}

func (w *world) setJoined(p person, joined bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined[p] = joined
}

// change calls the given function while it holds the world's lock.
func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// on reports whether p has a session on the SFU.
func (w *world) on(p person) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, room := range w.rooms {
		for _, one := range room {
			if w.owners[one.Session] == p {
				return true
			}
		}
	}
	return false
}

func (w *world) questions() []question {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

func (w *world) removed() (sids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.removals {
		sids = append(sids, r.sid)
	}
	return sids
}

// called returns how many calls the SFU has got.
func (w *world) called() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, of := range w.calls {
		n += of
	}
	return n
}

// wantOn checks whether p has a session on the SFU.
func (w *world) wantOn(p person, want bool) {
	w.t.Helper()
	if got := w.on(p); got != want {
		w.t.Errorf("%s is on the SFU: %v, want %v", p.user, got, want)
	}
}

func (w *world) wantAsked(want int) {
	w.t.Helper()
	if got := len(w.questions()); got != want {
		w.t.Errorf("asked %d times, want %d", got, want)
	}
}

// crowd returns n persons, ten in each room.
func crowd(n int) (all []person) {
	for i := range n {
		all = append(all, personOf(fmt.Sprintf("!room%d", i/10), fmt.Sprintf("@user%d:example.org", i)))
	}
	return all
}

// enterAll makes all persons join their Matrix rooms and begin sessions.
func (w *world) enterAll(all []person) {
	for _, p := range all {
		w.setJoined(p, true)
		w.enter(p)
	}
}
