package keeper_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/keeper"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

var (
	seeds     = flag.Uint64("seeds", 150, "how many calls TestWhateverHappens makes up")
	firstSeed = flag.Uint64("seed", 0, "the first of them")
)

// TestWhateverHappens lets random things happen to a call: the participant
// comes, goes, changes its session; webhooks are lost, doubled and late; the
// SFU, the homeserver and the program go away and come back. Nobody who is in
// the call may ever be emptied, and nobody who has left for good may stay.
func TestWhateverHappens(t *testing.T) {
	for i := range *seeds {
		seed := *firstSeed + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).run() })
		})
	}
}

type model struct {
	*world
	random  *rand.Rand
	other   *frozen // a second process on the same store
	session int     // number of the last one
	delay   time.Duration
	leaves  int  // how many were scheduled, of which the last one counts
	inCall  bool // for all that the participant knows
	story   []string
}

// tell notes what happened, for the message of a failure.
func (m *model) tell(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.story = append(m.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{world: newWorld(t), random: rand.New(rand.NewPCG(seed, 1))}
	m.seedJitter(seed)
	m.other = m.startOther()
	m.come()
	m.delay = []time.Duration{8 * time.Second, 18 * time.Second, time.Hour}[m.random.IntN(3)]
	m.delegateAnother()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
	return m
}

// seedJitter has all pauses be the same in every run of a seed.
func (m *model) seedJitter(seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 2))
	m.stop()
	<-m.ended
	m.log = slog.New(slog.NewTextHandler(teller{m}, nil))
	m.jitter = func(d time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return d - time.Duration(random.Int64N(int64(d/10)+1))
	}
	m.start()
}

func (m *model) name() string { return fmt.Sprint("S", m.session) }

func (m *model) come() {
	m.session++
	m.inCall = true
	m.join(m.name())
	m.tell("joins %s", m.name())
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(m.story, "\n"))
}

// teller has the keeper's log in the story.
type teller struct{ m *model }

func (w teller) Write(line []byte) (int, error) {
	w.m.tell("    %s", strings.TrimSpace(string(line)))
	return len(line), nil
}

// hint sends a webhook: perhaps not at all, perhaps twice, perhaps late.
func (m *model) hint(event sfu.Kind, reason sfu.Reason) {
	session := m.name()
	for range m.random.IntN(3) {
		late := time.Duration(m.random.IntN(3000)) * time.Millisecond
		time.AfterFunc(late, func() {
			m.tell("webhook %v %s %v", event, session, reason)
			_ = m.current().Report(m.t.Context(), sfu.Event{Room: key.Room, Identity: key.Identity, Kind: event, Session: session, Reason: reason})
		})
	}
}

func (m *model) run() {
	events := []func(){
		m.reconnect, m.reconnect, m.takeOver, m.sfuAway, m.sfuRestarts, m.homeserverAway, m.homeserverLimits,
		m.programRestarts, m.otherFreezes, m.nothing, m.nothing,
		m.proxyAnswers, m.noRoomCanBeCreated, m.delegateAgain, m.delegateAnother, m.delegateNothing,
		m.clockIsSet,
	}
	for range 15 {
		time.Sleep(settled + time.Duration(m.random.IntN(40_000))*time.Millisecond)
		m.wantAlive()
		chosen := m.random.IntN(len(events))
		m.tell("event %d", chosen)
		events[chosen]()
	}
	time.Sleep(settled)
	m.wantAlive()
	m.vanish()
	m.inCall = false
	left := time.Now()
	reason := []sfu.Reason{sfu.ReasonOther, sfu.ReasonClear}[m.random.IntN(2)]
	m.hint(sfu.KindLeft, reason)
	time.Sleep(5 * time.Minute)
	over, at := m.fate(m.leave())
	if over == "" || at.Sub(left) > 2*time.Minute+15*time.Second {
		m.fatalf("who left stayed for %v: %q", at.Sub(left), over)
	}
}

// settled is how long a client that has come back stays at least. Who goes
// again within the grace of the last time, with all webhooks lost, cannot be
// told from one who never came.
const settled = 3 * time.Second

func (m *model) nothing() {}

// leave is the id of the last leave that was scheduled.
func (m *model) leave() string { return fmt.Sprint("d", m.leaves) }

// wantAlive checks that no leave has emptied the member: neither the last one
// nor any that it replaced.
func (m *model) wantAlive() {
	for i := 1; i <= m.leaves; i++ {
		over, _ := m.fate(fmt.Sprint("d", i))
		if over == "sent" || over == "fired" || over != "" && i == m.leaves {
			m.fatalf("a live member was emptied: d%d was %s", i, over)
		}
	}
}

// delegateAnother: the client schedules another leave, as one does that joins
// anew.
func (m *model) delegateAnother() {
	m.leaves++
	m.delegate(m.leave(), m.delay)
}

// delegateAgain: the client asks for another token and sends its leave along.
func (m *model) delegateAgain() {
	job := leave.New(key, user(m.t), delayID(m.t, m.leave()), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), job, many); err != nil {
		m.fatalf("delegating again: %v", err)
	}
}

// delegateNothing: the client delegates a leave that its homeserver does not
// have, and then another one.
func (m *model) delegateNothing() {
	bogus := leave.New(key, user(m.t), delayID(m.t, fmt.Sprint("bogus", m.leaves)), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), bogus, many); err != nil {
		m.fatalf("delegating nothing: %v", err)
	}
	time.Sleep(time.Duration(m.random.IntN(5000)) * time.Millisecond)
	m.delegateAnother()
}

// proxyAnswers: the SFU is away, and a proxy that holds its connections answers
// for it; perhaps clients delegate meanwhile. Nobody may have seen it, and then
// the look that finds the member missing has only one more after it: who comes
// back in between stays for longer than settled.
func (m *model) proxyAnswers() {
	causes := []string{sfu.CauseStatus, sfu.CauseNotFound, sfu.CauseNotTwirp}
	m.set(func() {
		m.proxied, m.roomAt = true, time.Time{}
		m.fault = failing(causes[m.random.IntN(3)], false, questions...)
	})
	m.vanish()
	time.Sleep(time.Duration(500+m.random.IntN(30_000)) * time.Millisecond)
	[]func(){m.nothing, m.delegateAgain, m.delegateAnother}[m.random.IntN(3)]()
	rest := m.random.IntN(90_000)
	time.Sleep(time.Duration(rest) * time.Millisecond)
	m.set(func() { m.proxied, m.fault = false, nil })
	time.Sleep(time.Duration(5100+m.random.IntN(3000)) * time.Millisecond)
	m.set(func() {
		if rest > 62_000 && m.roomAt.IsZero() {
			m.t.Error("after an outage that cannot have passed unseen the room is not there")
		}
	})
	m.come()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
	time.Sleep(grace.Outage)
}

// noRoomCanBeCreated: the SFU restarts, and for some time neither creates rooms
// nor, perhaps, tells of them. Its clients come back when there is their room.
func (m *model) noRoomCanBeCreated() {
	calls := [][]string{{"CreateRoom"}, {"RoomSince"}, {"CreateRoom", "RoomSince"}}[m.random.IntN(3)]
	cause := []string{sfu.CauseStatus, sfu.CauseTimeout}[m.random.IntN(2)]
	m.set(func() { m.fault = failing(cause, cause == sfu.CauseStatus, calls...) })
	if m.random.IntN(2) == 0 {
		m.hint(sfu.KindLeft, sfu.ReasonOther)
	}
	m.sfuRestart()
	time.Sleep(time.Duration(m.random.IntN(20_000)) * time.Millisecond)
	m.set(func() { m.fault = nil })
	time.Sleep(time.Duration(m.random.IntN(8000)) * time.Millisecond)
	m.come()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
}

// reconnect: the connection breaks and is back within a second.
func (m *model) reconnect() {
	m.vanish()
	m.hint(sfu.KindLeft, sfu.ReasonOther)
	time.Sleep(time.Duration(m.random.IntN(900)) * time.Millisecond)
	m.come()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
}

// takeOver: another session of the same identity replaces the first.
func (m *model) takeOver() {
	m.hint(sfu.KindLeft, sfu.ReasonOther)
	m.come()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
}

// sfuRestarts: it is back before anybody has asked, and its clients soon after.
func (m *model) sfuRestarts() {
	m.sfuRestart()
	time.Sleep(time.Duration(m.random.IntN(8000)) * time.Millisecond)
	m.come()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
}

// sfuAway: everybody is thrown out and comes back within 10 s.
func (m *model) sfuAway() {
	m.set(func() { m.sfuDown, m.roomAt = true, time.Time{} })
	m.vanish()
	if m.random.IntN(2) == 0 {
		m.hint(sfu.KindLeft, sfu.ReasonServerShutdown)
	}
	time.Sleep(time.Duration(500+m.random.IntN(60_000)) * time.Millisecond)
	m.set(func() { m.sfuDown = false })
	time.Sleep(time.Duration(m.random.IntN(8000)) * time.Millisecond)
	m.come()
	m.hint(sfu.KindJoined, sfu.ReasonOther)
}

// homeserverAway: for less than what the shortest delay leaves.
func (m *model) homeserverAway() {
	m.set(func() { m.hsDown = true })
	time.Sleep(time.Duration(m.random.IntN(5000)) * time.Millisecond)
	m.set(func() { m.hsDown = false })
}

// homeserverLimits: it answers 429, for as long.
func (m *model) homeserverLimits() {
	m.set(func() { m.hsStatus = matrix.ResultLimited })
	time.Sleep(time.Duration(m.random.IntN(5000)) * time.Millisecond)
	m.set(func() { m.hsStatus = "" })
}

// otherFreezes: the other process stops in the middle of whatever it does, and
// goes on much later with what it knew.
func (m *model) otherFreezes() {
	m.other.freeze(time.Duration(m.random.IntN(30_000)) * time.Millisecond)
}

// clockIsSet: the wall clock of the keepers' machine, and perhaps of the SFU's,
// is set, in the middle of something else or not.
func (m *model) clockIsSet() {
	m.set(func() { m.elsewhere = m.random.IntN(2) == 0 })
	m.machine.Set(jumps[m.random.IntN(len(jumps))])
	[]func(){m.nothing, m.reconnect, m.sfuAway, m.sfuRestarts}[m.random.IntN(4)]()
}

func (m *model) programRestarts() {
	m.stop()
	<-m.ended
	time.Sleep(time.Duration(m.random.IntN(4000)) * time.Millisecond)
	m.start()
}

// frozen is the SFU as a process sees it that may freeze while it asks.
type frozen struct {
	keeper.SFU
	mu   sync.Mutex
	thaw time.Time
}

func (f *frozen) freeze(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.thaw = time.Now().Add(d)
}

// Session has the answer from before the freeze.
func (f *frozen) Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error) {
	session, err := f.SFU.Session(ctx, room, identity)
	f.mu.Lock()
	rest := time.Until(f.thaw)
	f.mu.Unlock()
	time.Sleep(rest)
	return session, err
}

// startOther starts a second process, which works on what it claims first.
func (m *model) startOther() *frozen {
	f := &frozen{SFU: m.world}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	keeper := &keeper.Keeper{
		Store: m.store, Clock: m.clock, SFU: f, Events: m.world, Holder: "other", Grace: grace, Interval: m.interval,
		Jitter: m.jitter, Budget: &pace.Budget{}, Log: m.log,
	}
	go func() {
		keeper.Run(ctx)
		close(ended)
	}()
	m.t.Cleanup(func() {
		stop()
		<-ended
	})
	return f
}
