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

// TestWhateverHappens lets random events happen to a call. The participant comes, goes,
// and changes its session. Webhooks are lost, doubled and late. LiveKit nodes die,
// drain and are cut off, and LiveKit's Redis loses records. The SFU, the homeserver and
// the service go away and come back. While the participant is in the call, no leave may
// be sent or fire. When the participant has left for good, the leave must be sent.
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
	other  *frozen // the SFU of a second process that uses the same store
	delay  time.Duration
	leaves int // how many leaves the client has scheduled; the job is about the last of them
	// joined is LiveKit's webhook which reports that the participant's last session has
	// joined.
	joined *livekit.WebhookEvent
	// stale says that LiveKit may still have a record of a session that has ended.
	stale bool

	notes sync.Mutex
	told  []string
}

// tell records an event. If the test fails, its message shows all recorded events.
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

// teller is an io.Writer for the keeper's log. It records each line with tell.
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

// seedJitter sets the keepers' Jitter to a function that depends only on the seed.
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

// startOther starts a second keeper that uses the same store. It returns the SFU of
// this keeper, which can freeze.
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

// settled is the shortest time for which a client stays after it has come back. With a
// shorter stay, the client could come back and leave again within one grace period. If
// all webhooks were lost as well, the keeper could not know that the client had come.
const settled = 3 * time.Second

// upTo returns a random time that is shorter than d.
func (m *model) upTo(d time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(d/time.Millisecond))) * time.Millisecond
}

// leave makes the participant leave for good. In one of three cases, it leaves because
// its node dies.
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
	// If m.stale is true, the SFU may still have a record of the participant's session.
	// In this case, only the LiveKit nodes can say that the participant is gone. The
	// keeper asks the nodes only at every fourth of its looks into the room.
	if m.stale {
		limit = 6 * time.Minute
	}
	time.Sleep(8 * time.Minute)
	over, at := m.fate(m.last())
	if over == "" || at.Sub(left) > limit {
		m.fatalf("the leave of a participant who left is %q after %v, want it over within %v", over, at.Sub(left), limit)
	}
}

// last returns the id of the last leave that the client has scheduled.
func (m *model) last() string { return fmt.Sprint("d", m.leaves) }

// wantAlive checks that the membership has not ended: neither the last leave nor a
// replaced one was sent or has fired.
func (m *model) wantAlive() {
	m.t.Helper()
	for i := 1; i <= m.leaves; i++ {
		over, _ := m.fate(fmt.Sprint("d", i))
		if over == "sent" || over == "fired" || over != "" && i == m.leaves {
			m.fatalf("the leave d%d was %s while the participant was in the call, want that not to happen", i, over)
		}
	}
}

// frozen is the SFU of a process that can freeze. A frozen process gets the SFU's
// answers late.
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

// Session asks immediately, but returns the answer only when the process is no longer
// frozen.
func (f *frozen) Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error) {
	session, err := f.SFU.Session(ctx, room, identity)
	f.mu.Lock()
	rest := time.Until(f.thaw)
	f.mu.Unlock()
	time.Sleep(rest)
	return session, err
}

// hint delivers the webhook w never, once or twice, chosen at random. Each delivery is
// up to 3 s late.
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

// delegateAnother makes the client schedule a further leave and delegate it. A client
// does this when it joins again.
func (m *model) delegateAnother() {
	m.leaves++
	m.delegate(m.last(), m.delay)
}

// delegateAgain makes the client delegate its last leave once more. A client does this
// when it asks for another token.
func (m *model) delegateAgain() {
	job := leave.New(key, user(m.t), delayID(m.t, m.last()), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), job, many); err != nil {
		m.fatalf("delegating again: %v", err)
	}
}

// delegateNothing makes the client delegate a leave that its homeserver does not have.
// When the keeper finds this out, it ends the job and forgets the participant. Then the
// client delegates a proper leave. To find the participant, the keeper needs a record
// in LiveKit, so delegateNothing first makes sure that there is one.
func (m *model) delegateNothing() {
	m.fake.Change(key.Room, key.Identity)
	bogus := leave.New(key, user(m.t), delayID(m.t, fmt.Sprint("bogus", m.leaves)), m.delay, m.clock.Now())
	if err := m.current().Delegate(m.t.Context(), bogus, many); err != nil {
		m.fatalf("delegating nothing: %v", err)
	}
	time.Sleep(m.upTo(5 * time.Second))
	m.delegateAnother()
}

// homeserverAway makes the homeserver fail for up to 5 s. This is shorter than the
// shortest delay of a leave.
func (m *model) homeserverAway() {
	m.set(func() { m.hsDown = true })
	time.Sleep(m.upTo(5 * time.Second))
	m.set(func() { m.hsDown = false })
}

// homeserverLimits makes the homeserver answer 429 for up to 5 s. This is shorter than
// the shortest delay of a leave.
func (m *model) homeserverLimits() {
	m.set(func() { m.hsStatus = matrix.ResultLimited })
	time.Sleep(m.upTo(5 * time.Second))
	m.set(func() { m.hsStatus = "" })
}

// otherFreezes freezes the second process for up to 30 s. Then that process goes on
// with the answers from before the freeze.
func (m *model) otherFreezes() { m.other.freeze(m.upTo(30 * time.Second)) }

func (m *model) programRestarts() {
	m.stop()
	<-m.ended
	time.Sleep(m.upTo(4 * time.Second))
	m.start()
}
