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
	seeds     = flag.Uint64("seeds", 25, "how many random calls TestWhateverHappens simulates")
	firstSeed = flag.Uint64("seed", 0, "the seed of the first call")
)

// TestWhateverHappens lets random things happen to a call. The participant comes,
// goes, and changes its session. Webhooks are lost, doubled and late. Nodes of the
// SFU die, drain and are cut off, and the SFU's Redis loses records. The SFU, the
// homeserver and the program go away and come back. While the participant is in the
// call, no leave may be sent or fire. When the participant has left for good, the
// leave must be sent.
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
	leaves int // how many leaves were scheduled; the job is about the last one
	// joined is LiveKit's report that the last session has joined.
	joined *livekit.WebhookEvent
	// stale says that LiveKit may have a record of a session that is over.
	stale bool

	notes sync.Mutex
	told  []string
}

// tell records what happened. The message of a failure shows all these records.
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

// teller writes the keeper's log into the records of the model.
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

// seedJitter makes the pauses of the keepers depend only on the seed.
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

// startOther starts a second keeper on the same store. It returns the SFU of that
// keeper, which can freeze.
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

// A client that has come back stays for at least the time settled. Otherwise it
// could leave again within the last grace, and all webhooks could be lost. Then the
// keeper could not know that the client had been there.
const settled = 3 * time.Second

// upTo returns a random time of up to d.
func (m *model) upTo(d time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(d/time.Millisecond))) * time.Millisecond
}

// leave makes the participant leave for good, perhaps because its node dies.
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
	// The keeper asks the node only every fourth time that it asks who is in the
	// room. Only the node's answer shows that the participant is gone.
	if m.stale {
		limit = 6 * time.Minute
	}
	time.Sleep(8 * time.Minute)
	over, at := m.fate(m.last())
	if over == "" || at.Sub(left) > limit {
		m.fatalf("the leave of a participant who left is %q after %v, want it over within %v", over, at.Sub(left), limit)
	}
}

// last returns the id of the last leave that was scheduled.
func (m *model) last() string { return fmt.Sprint("d", m.leaves) }

// wantAlive checks that no leave has ended the membership: neither the last leave
// nor one that it has replaced.
func (m *model) wantAlive() {
	m.t.Helper()
	for i := 1; i <= m.leaves; i++ {
		over, _ := m.fate(fmt.Sprint("d", i))
		if over == "sent" || over == "fired" || over != "" && i == m.leaves {
			m.fatalf("the leave d%d was %s while the participant was in the call, want that not to happen", i, over)
		}
	}
}

// frozen is the SFU of a process that can freeze while it asks the SFU.
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

// Session returns its answer when the freeze is over. The answer is from before the
// freeze.
func (f *frozen) Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error) {
	session, err := f.SFU.Session(ctx, room, identity)
	f.mu.Lock()
	rest := time.Until(f.thaw)
	f.mu.Unlock()
	time.Sleep(rest)
	return session, err
}

// hint sends the webhook w at random: not at all, once or twice, and up to 3 s
// late.
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

// delegateAnother makes the client schedule and delegate another leave. A client
// does that when it joins again.
func (m *model) delegateAnother() {
	m.leaves++
	m.delegate(m.last(), m.delay)
}

// delegateAgain makes the client delegate the same leave again. A client does that
// when it asks for another token.
func (m *model) delegateAgain() {
	job := leave.New(key, user(m.t), delayID(m.t, m.last()), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), job, many); err != nil {
		m.fatalf("delegating again: %v", err)
	}
}

// delegateNothing makes the client delegate a leave that its homeserver does not
// have, and then another one. The first delegation ends the job, and then the
// keeper knows nothing about the participant. So LiveKit must have a record of the
// participant.
func (m *model) delegateNothing() {
	m.fake.Change(key.Room, key.Identity)
	bogus := leave.New(key, user(m.t), delayID(m.t, fmt.Sprint("bogus", m.leaves)), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), bogus, many); err != nil {
		m.fatalf("delegating nothing: %v", err)
	}
	time.Sleep(m.upTo(5 * time.Second))
	m.delegateAnother()
}

// homeserverAway makes the homeserver fail for less than the shortest delay.
func (m *model) homeserverAway() {
	m.set(func() { m.hsDown = true })
	time.Sleep(m.upTo(5 * time.Second))
	m.set(func() { m.hsDown = false })
}

// homeserverLimits makes the homeserver answer 429 for less than the shortest
// delay.
func (m *model) homeserverLimits() {
	m.set(func() { m.hsStatus = matrix.ResultLimited })
	time.Sleep(m.upTo(5 * time.Second))
	m.set(func() { m.hsStatus = "" })
}

// otherFreezes stops the other process in the middle of its work. Up to 30 s later
// that process goes on with the answers that it had.
func (m *model) otherFreezes() { m.other.freeze(m.upTo(30 * time.Second)) }

func (m *model) programRestarts() {
	m.stop()
	<-m.ended
	time.Sleep(m.upTo(4 * time.Second))
	m.start()
}
