package keeper

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/seldom"
	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/leave/presence"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// SFU is what the keeper needs of the SFU: the calls that package presence needs, and a
// call that creates rooms.
type SFU interface {
	presence.SFU
	// CreateRoom creates the room if it does not exist.
	CreateRoom(ctx context.Context, room sfu.Room) error
}

// Keeper works on the jobs of a store, which several processes may share. It has no
// goroutine or timer per job. It claims due jobs. A limited number of workers do one
// action for each claimed job and write the result. All fields are required, except
// those whose comment says otherwise.
type Keeper struct {
	Store leave.Store
	// Clock gives the times in jobs. If it is nil, the keeper makes its own clock. It
	// may be nil only if no other code makes or stores jobs.
	Clock  *clock.Clock
	SFU    SFU
	Events Events
	// Holder identifies this process among those that share the store.
	Holder string
	Grace  leave.Grace
	// Interval is the time between two regular looks into a room. In a look, the
	// keeper asks the SFU who is in the room. 0 means 10 min.
	Interval time.Duration
	// Tick is the time between two searches for due jobs; 0 means [leave.Tick].
	Tick   time.Duration
	Budget *pace.Budget
	Log    *slog.Logger
	// Observe, if set, is called after every request to a homeserver. Its arguments are
	// the action, the result, and how late the request was.
	Observe func(action string, result matrix.Result, late time.Duration)
	// NodeAsked, if set, is called after each question to a LiveKit node about a
	// participant. The argument is one of [leave.NodeResults].
	NodeAsked func(answer string)
	// Silent, if set, is called once if participants come and go although no webhook has
	// ever come. Shared says that other processes use the same store. Then a join without
	// a webhook proves nothing, because LiveKit may have sent the webhook to another
	// process.
	Silent func()
	Shared bool
	// Degraded, if set, reports whether the store's database is away. Then the store
	// answers from the memory of this process.
	Degraded func() bool
	// Jitter, if set, gets the length of a pause and returns a similar length, which the
	// keeper uses instead. Such different pauses spread out actions that are due at the
	// same moment. If Jitter is nil, the keeper shortens each pause at random by up to a
	// tenth.
	Jitter func(pause time.Duration) time.Duration

	once    sync.Once
	woken   chan struct{}
	tasks   chan task    // passes tasks to idle workers
	full    atomic.Bool  // true if jobs may be due that no worker has yet, because the last claim left no worker free
	beat    atomic.Int64 // when the loop of Run last ran, in milliseconds since 1970
	began   atomic.Int64 // when the loop of Run began, or went on after a long stop, in milliseconds since 1970
	started time.Time

	presence   presence.Presence
	workers    pace.Workers
	turns      turns
	webhooks   webhooks
	notCreated seldom.Warning // limits how often the log warns that a room could not be created
	retrying   sync.WaitGroup // the goroutines that create lost rooms
	stackAt    atomic.Int64   // when a stack was last logged, in milliseconds since 1970
}

// After a call of wake, Run does not search for due jobs immediately. It first pauses
// for four times as long as its last search took, but at most for longestRest. While the
// store is slow and many participants come and go, several jobs become due in the pause,
// and one search finds them all.
const longestRest = leave.Tick / 5

// stalled is the longest time that one round of the loop in Run may take. After that
// time, Stalled returns true.
const stalled = 30 * time.Second

// Run works on jobs until ctx ends. Then it claims no more jobs, waits for the running
// actions, and gives their jobs back to the store.
func (k *Keeper) Run(ctx context.Context) {
	k.init()
	var running sync.WaitGroup
	defer running.Wait()
	defer k.retrying.Wait()
	running.Go(func() { k.presence.Run(ctx, k.restoreRooms) })
	running.Go(func() { k.patrol(ctx) })
	running.Go(func() { k.askInTurn(ctx) })
	permits := make(chan struct{}, pace.PoolSize)
	tick := time.NewTicker(cmp.Or(k.Tick, leave.Tick))
	defer tick.Stop()
	for {
		k.round(k.now())
		began := time.Now()
		k.claim(ctx, permits, &running)
		took := time.Since(began)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.woken:
			timing.Sleep(ctx, min(4*took, longestRest))
		}
	}
}

func (k *Keeper) init() {
	k.once.Do(func() {
		if k.Clock == nil {
			k.Clock = clock.New()
		}
		k.woken, k.tasks = make(chan struct{}, 1), make(chan task)
		k.started = k.Clock.Now()
		k.beat.Store(k.started.UnixMilli())
		k.began.Store(k.started.UnixMilli())
		k.presence = presence.Presence{SFU: k.SFU, Jobs: k.Store, Clock: k.Clock, Back: k.Grace.Outage, Asked: k.NodeAsked, Log: k.Log}
	})
}

// now returns the time by the keeper's clock. This clock does not jump when somebody
// sets the wall clock.
func (k *Keeper) now() time.Time {
	k.init()
	return k.Clock.Now()
}

// round records that the loop of Run goes on. The time that a job waited before k.began
// does not count against the job (see [leave.Job.Over]). So round sets k.began to now in
// two cases in which the keeper could not work on jobs:
//   - The process was frozen, or the machine slept.
//   - The store's database is away. The keeper cannot reach jobs that only the database
//     has.
func (k *Keeper) round(now time.Time) {
	if k.Stalled(now) || k.degraded() {
		k.began.Store(now.UnixMilli())
	}
	k.beat.Store(now.UnixMilli())
}

// wake makes the loop of Run search for due jobs soon (see longestRest).
func (k *Keeper) wake() {
	k.init()
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

// Stalled reports whether the keeper has made no progress for 30 s.
func (k *Keeper) Stalled(now time.Time) bool {
	k.init()
	return now.Sub(time.UnixMilli(k.beat.Load())) > stalled
}

// SFUAnswers reports whether the SFU answers questions. It reports false if the SFU
// refuses our key.
func (k *Keeper) SFUAnswers() bool {
	k.init()
	return k.presence.Answers()
}

func (k *Keeper) degraded() bool { return k.Degraded != nil && k.Degraded() }

// jittered returns d, shortened at random by up to a tenth. So the requests of many
// jobs are spread over time.
func (k *Keeper) jittered(d time.Duration) time.Duration {
	if k.Jitter != nil {
		return k.Jitter(d)
	}
	return d - time.Duration(rand.Int64N(int64(d/10)+1))
}
