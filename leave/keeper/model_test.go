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

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/keeper"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

var (
	seeds     = flag.Uint64("seeds", 25, "how many calls TestWhateverHappens makes up")
	firstSeed = flag.Uint64("seed", 0, "the first of them")
)

// TestWhateverHappens lets random things happen to a call: the participant
// comes, goes, changes its session; webhooks are lost, doubled and late; nodes of
// the SFU die, drain and are cut off, its Redis loses what it knew; the SFU, the
// homeserver and the program go away and come back. Nobody who is in the call may
// ever be emptied, and nobody who has left for good may stay.
func TestWhateverHappens(t *testing.T) {
	for i := range *seeds {
		seed := *firstSeed + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).run() })
		})
	}
}

type model struct {
	*cluster
	random *rand.Rand
	other  *frozen // a second process on the same store
	delay  time.Duration
	leaves int // how many were scheduled, of which the last one counts
	// joined is LiveKit's report of the last session.
	joined *livekit.WebhookEvent
	// stale says that a session which is over may be on record.
	stale bool

	notes sync.Mutex
	told  []string
}

// tell notes what happened, for the message of a failure.
func (m *model) tell(format string, args ...any) {
	m.notes.Lock()
	defer m.notes.Unlock()
	m.told = append(m.told, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.notes.Lock()
	defer m.notes.Unlock()
	m.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(m.told, "\n"))
}

// teller has the keeper's log in the story.
type teller struct{ m *model }

func (w teller) Write(line []byte) (int, error) {
	w.m.tell("    %s", strings.TrimSpace(string(line)))
	return len(line), nil
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{cluster: newCluster(t), random: rand.New(rand.NewPCG(seed, 1))}
	m.seedJitter(seed)
	m.other = m.startOther()
	m.come()
	m.delay = []time.Duration{8 * time.Second, 18 * time.Second, time.Hour}[m.random.IntN(3)]
	m.delegateAnother()
	m.hint(m.joined)
	m.save()
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

// startOther starts a second process, which works on what it claims first.
func (m *model) startOther() *frozen {
	f := &frozen{SFU: m.cluster}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	other := &keeper.Keeper{
		Store: m.store, Clock: m.clock, SFU: f, Events: m.world, Holder: "other", Grace: grace, Interval: m.interval,
		Jitter: m.jitter, Budget: &pace.Budget{}, Log: m.log,
	}
	go func() {
		other.Run(ctx)
		close(ended)
	}()
	m.t.Cleanup(func() {
		stop()
		<-ended
	})
	return f
}

func (m *model) run() {
	events := m.events()
	for range 15 {
		time.Sleep(settled + m.upTo(40*time.Second))
		m.wantAlive()
		chosen := m.random.IntN(len(events))
		m.tell("event %s", events[chosen].name)
		events[chosen].happen()
	}
	time.Sleep(settled)
	m.wantAlive()
	m.leave()
}

// settled is how long a client that has come back stays at least. Who goes
// again within the grace of the last time, with all webhooks lost, cannot be
// told from one who never came.
const settled = 3 * time.Second

// upTo returns any time up to d.
func (m *model) upTo(d time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(d/time.Millisecond))) * time.Millisecond
}

// leave: the participant leaves for good, perhaps by the death of its node.
func (m *model) leave() {
	left, limit := time.Now(), 2*time.Minute+15*time.Second
	if m.random.IntN(3) == 0 {
		m.tell("leaves with its node")
		m.kill()
		m.stale = true
	} else {
		reason := []livekit.DisconnectReason{livekit.DisconnectReason_CONNECTION_TIMEOUT, livekit.DisconnectReason_CLIENT_INITIATED}[m.random.IntN(2)]
		m.tell("leaves: %s", reason)
		m.hint(m.fake.Leave(key.Room, key.Identity, reason))
	}
	if m.stale { // then the fourth look tells
		limit = 6 * time.Minute
	}
	time.Sleep(8 * time.Minute)
	over, at := m.fate(m.last())
	if over == "" || at.Sub(left) > limit {
		m.fatalf("who left stayed for %v: %q", at.Sub(left), over)
	}
}

// last is the id of the last leave that was scheduled.
func (m *model) last() string { return fmt.Sprint("d", m.leaves) }

// wantAlive checks that no leave has emptied the member: neither the last one
// nor any that it replaced.
func (m *model) wantAlive() {
	m.t.Helper()
	for i := 1; i <= m.leaves; i++ {
		over, _ := m.fate(fmt.Sprint("d", i))
		if over == "sent" || over == "fired" || over != "" && i == m.leaves {
			m.fatalf("a live member was emptied: d%d was %s", i, over)
		}
	}
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

// hint sends a webhook: perhaps not at all, perhaps twice, perhaps late.
func (m *model) hint(w *livekit.WebhookEvent) {
	if w == nil {
		return
	}
	event := eventOf(w)
	for range m.random.IntN(3) {
		time.AfterFunc(m.upTo(3*time.Second), func() {
			m.tell("webhook %s %s %s", event.Kind, event.Session, event.Reason)
			_ = m.current().Report(m.t.Context(), event)
		})
	}
}

// delegateAnother: the client schedules another leave, as one does that joins
// anew.
func (m *model) delegateAnother() {
	m.leaves++
	m.delegate(m.last(), m.delay)
}

// delegateAgain: the client asks for another token and sends its leave along.
func (m *model) delegateAgain() {
	job := leave.New(key, user(m.t), delayID(m.t, m.last()), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), job, many); err != nil {
		m.fatalf("delegating again: %v", err)
	}
}

// delegateNothing: the client delegates a leave that its homeserver does not
// have, and then another one. Of that one nothing is known, so it is on record.
func (m *model) delegateNothing() {
	m.fake.Change(key.Room, key.Identity)
	bogus := leave.New(key, user(m.t), delayID(m.t, fmt.Sprint("bogus", m.leaves)), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), bogus, many); err != nil {
		m.fatalf("delegating nothing: %v", err)
	}
	time.Sleep(m.upTo(5 * time.Second))
	m.delegateAnother()
}

// homeserverAway: for less than what the shortest delay leaves.
func (m *model) homeserverAway() {
	m.set(func() { m.hsDown = true })
	time.Sleep(m.upTo(5 * time.Second))
	m.set(func() { m.hsDown = false })
}

// homeserverLimits: it answers 429, for as long.
func (m *model) homeserverLimits() {
	m.set(func() { m.hsStatus = matrix.ResultLimited })
	time.Sleep(m.upTo(5 * time.Second))
	m.set(func() { m.hsStatus = "" })
}

// otherFreezes: the other process stops in the middle of whatever it does, and
// goes on much later with what it knew.
func (m *model) otherFreezes() { m.other.freeze(m.upTo(30 * time.Second)) }

func (m *model) programRestarts() {
	m.stop()
	<-m.ended
	time.Sleep(m.upTo(4 * time.Second))
	m.start()
}
