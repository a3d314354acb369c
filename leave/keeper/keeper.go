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
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/leave/presence"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// SFU is asked who is in its rooms, and creates rooms.
type SFU interface {
	presence.SFU
	// CreateRoom creates the room if it is missing.
	CreateRoom(ctx context.Context, room sfu.Room) error
}

// Keeper does what the jobs of a store ask for, in as many processes as there
// are. It has no goroutine or timer per job: it claims what is due, does the
// one thing that the state asks for on a bounded pool, and writes what follows.
// All fields but Observe are required.
type Keeper struct {
	Store leave.Store
	// Clock is the one that the times of jobs are by; nil for one of its own,
	// when nobody else makes jobs or writes them down.
	Clock  *clock.Clock
	SFU    SFU
	Events Events
	// Holder names this process among those that share the store.
	Holder string
	Grace  leave.Grace
	// Interval is how often a room is looked at although nothing was reported.
	Interval time.Duration
	// Tick is how often due jobs are looked for; 0 for [leave.Tick].
	Tick   time.Duration
	Budget *pace.Budget
	Log    *slog.Logger
	// Observe, if set, is told of every action at a homeserver: what came of
	// it and how late it was.
	Observe func(action string, result matrix.Result, late time.Duration)
	// NodeAsked, if set, is told what came of a question to a participant's node:
	// one of [leave.NodeResults].
	NodeAsked func(answer string)
	// Silent, if set, is told once that participants come and go and the SFU
	// has never reported any. Shared says that other processes use the store,
	// to which its reports may go.
	Silent func()
	Shared bool
	// Degraded, if set, reports that the store does not answer, and that what
	// it seems to say is the memory of this process alone.
	Degraded func() bool
	// Jitter, if set, returns how much of a pause is waited, so that jobs made
	// at once do not stay together; else it is at random up to a tenth less.
	Jitter func(pause time.Duration) time.Duration

	once    sync.Once
	wake    chan struct{}
	beat    atomic.Int64 // when the loop last went round, milliseconds
	began   atomic.Int64 // since when it has gone round without a long stop
	started time.Time

	presence   presence.Presence
	workers    pace.Workers
	turns      turns
	webhooks   webhooks
	notCreated seldom.Warning // a room
	retrying   sync.WaitGroup // rooms that could not be created
	stackAt    atomic.Int64   // when a stack was last logged, milliseconds
}

// stalled is how long the loop may take for one round.
const stalled = 30 * time.Second

// Run works until ctx ends; then it claims nothing more, and returns when the
// actions in hand are done and their jobs given back.
func (k *Keeper) Run(ctx context.Context) {
	k.init()
	var running sync.WaitGroup
	defer running.Wait()
	defer k.retrying.Wait()
	running.Go(func() { k.presence.Run(ctx, k.restoreRooms) })
	running.Go(func() { k.patrol(ctx) })
	slots := make(chan struct{}, pace.PoolSize)
	tick := time.NewTicker(cmp.Or(k.Tick, leave.Tick))
	defer tick.Stop()
	for {
		k.round(k.now())
		k.claim(ctx, slots, &running)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.wake:
		}
	}
}

func (k *Keeper) init() {
	k.once.Do(func() {
		if k.Clock == nil {
			k.Clock = clock.New()
		}
		k.wake = make(chan struct{}, 1)
		k.started = k.Clock.Now()
		k.beat.Store(k.started.UnixMilli())
		k.began.Store(k.started.UnixMilli())
		k.presence = presence.Presence{SFU: k.SFU, Jobs: k.Store, Clock: k.Clock, Back: k.Grace.Outage, Asked: k.NodeAsked, Log: k.Log}
	})
}

// now is the time by which jobs are worked on. It does not jump when somebody
// sets the wall clock.
func (k *Keeper) now() time.Time {
	k.init()
	return k.Clock.Now()
}

// round notes that the loop goes on. After a long stop (a process that was
// frozen, a laptop that slept, a store that was away with jobs of which there
// was no copy) it begins anew: no job is given up for what nobody could do.
func (k *Keeper) round(now time.Time) {
	if k.Stalled(now) || k.degraded() {
		k.began.Store(now.UnixMilli())
	}
	k.beat.Store(now.UnixMilli())
}

// Wake has the keeper look for due jobs at once.
func (k *Keeper) Wake() {
	k.init()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Stalled reports whether the keeper has made no progress for 30 s.
func (k *Keeper) Stalled(now time.Time) bool {
	k.init()
	return now.Sub(time.UnixMilli(k.beat.Load())) > stalled
}

// SFUAnswers reports whether the SFU answers what it is asked. One that refuses
// our key does not.
func (k *Keeper) SFUAnswers() bool {
	k.init()
	return k.presence.Answers()
}

func (k *Keeper) degraded() bool { return k.Degraded != nil && k.Degraded() }

func (k *Keeper) jittered(d time.Duration) time.Duration {
	if k.Jitter != nil {
		return k.Jitter(d)
	}
	return d - time.Duration(rand.Int64N(int64(d/10)+1))
}

// sleep waits and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
