package leave

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/matrix"
)

// Keeper does what the jobs of a store ask for, in as many processes as there
// are. It has no goroutine or timer per job: it claims what is due, does the
// one thing that the state asks for on a bounded pool, and writes what follows.
// All fields but Observe are required.
type Keeper struct {
	Store Store
	// Clock is the one that the times of jobs are by; nil for one of its own,
	// when nobody else makes jobs or writes them down.
	Clock  *clock.Clock
	SFU    SFU
	Events Events
	// Holder names this process among those that share the store.
	Holder string
	Grace  Grace
	// Interval is how often a room is looked at although nothing was reported.
	Interval time.Duration
	Budget   *Budget
	Log      *slog.Logger
	// Observe, if set, is told of every action at a homeserver: what came of
	// it and how late it was.
	Observe func(action string, result matrix.Result, late time.Duration)
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
	watch   watch
	turns   turns
	shares  shares
	silence silence
}

const (
	// poll is how often due jobs are looked for: the shortest delay has its
	// restart every 125 ms.
	poll = 50 * time.Millisecond
	// workers is how many jobs are worked on at once.
	workers = 256
	// stalled is how long the loop may take for one round.
	stalled = 30 * time.Second
)

// Run works until ctx ends; then it claims nothing more, and returns when the
// actions in hand are done and their jobs given back.
func (k *Keeper) Run(ctx context.Context) {
	k.init()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { k.watchSFU(ctx) })
	running.Go(func() { k.watchLine(ctx) })
	running.Go(func() { k.patrol(ctx) })
	slots := make(chan struct{}, workers)
	tick := time.NewTicker(poll)
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

// claim takes as many due jobs as there are free workers and starts on them.
func (k *Keeper) claim(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) {
	free := cap(slots) - len(slots)
	if free == 0 || ctx.Err() != nil {
		return
	}
	claimed, ahead := k.now(), k.Clock.Ahead()
	jobs, err := k.Store.Claim(ctx, k.Holder, claimed, free)
	if err != nil {
		if ctx.Err() == nil {
			k.Log.Error("leave: claiming jobs", "err", err)
		}
		return
	}
	for _, job := range jobs {
		slots <- struct{}{}
		k.logClaim(ctx, job)
		running.Go(func() {
			// What has begun is finished, also when the program ends.
			k.act(context.WithoutCancel(ctx), task{job, claimed, ahead})
			<-slots
			k.Wake()
		})
	}
}

// task is a job lent to this process.
type task struct {
	Job
	claimed time.Time     // before the store was asked
	ahead   time.Duration // of the wall clock then
}

// held reports whether the lease lasts for a while yet: by our clock, and also
// by what the wall clock says has passed. That may be more on a machine that
// was paused as a whole, as virtual ones are.
func (k *Keeper) held(t task) bool {
	now := k.now()
	passed := now.Sub(t.claimed)
	byWall := passed + k.Clock.Ahead() - t.ahead
	return max(passed, byWall) < t.LeaseTime() && now.Before(t.Lease.Until)
}

// act does the one thing that is most urgent for a job.
func (k *Keeper) act(ctx context.Context, t task) {
	if t.State == Cancelling {
		k.clear(ctx, t)
		return
	}
	now := k.now()
	if why := k.over(t.Job, now); why != "" {
		k.end(ctx, t.Job, slog.LevelWarn, why)
		return
	}
	switch {
	case t.State == Sending && !t.NextLook.After(now):
		k.visit(ctx, t, sending, k.send, Job.sendPostponed)
	case t.State != Sending && !t.NextRestart.After(now):
		k.visit(ctx, t, t.urgency(now), k.restart, Job.postponed)
	case !t.NextLook.After(now):
		k.look(ctx, t)
	case len(t.Replaces) > 0 && !t.NextCancel.After(now):
		k.visit(ctx, t, sending, k.cancel, Job.cancelPostponed)
	default:
		k.write(ctx, t.Job, func(j Job) Job { return j })
	}
}

// restart starts the delay anew, if the homeserver's budget allows.
func (k *Keeper) restart(ctx context.Context, t task) {
	server := t.User.Server()
	if wait := k.Budget.take(server, t.urgency(k.now()), k.now()); wait > 0 {
		k.write(ctx, t.Job, func(j Job) Job { return j.postponed(k.now(), wait) })
		return
	}
	if !k.held(t) {
		return
	}
	sent := k.now()
	try, cancel := context.WithTimeout(ctx, attempt(t.Delay))
	defer cancel()
	err := k.Events.Restart(try, server, t.DelayID)
	k.answered(t, "restart", sent, t.restartDue(), err)
	switch matrix.ResultOf(err) {
	case matrix.ResultDone:
		next := k.jittered(period(t.Delay))
		k.write(ctx, t.Job, func(j Job) Job { return j.RestartDone(sent, next) })
	case matrix.ResultGone:
		k.end(ctx, t.Job, slog.LevelInfo, "the homeserver no longer has the delayed event")
	default:
		k.logFailure(t.Job, "restart", t.Restarts, err)
		wait := k.backOff(server, err)
		k.write(ctx, t.Job, func(j Job) Job { return j.RestartFailed(k.now(), wait) })
	}
}

// send asks the SFU once more and sends the leave if the participant is gone.
func (k *Keeper) send(ctx context.Context, t task) {
	server := t.User.Server()
	if wait := k.Budget.take(server, sending, k.now()); wait > 0 {
		k.write(ctx, t.Job, func(j Job) Job { return j.sendPostponed(k.now(), wait) })
		return
	}
	if !k.confirmed(ctx, t) || !k.held(t) {
		return
	}
	now := k.now()
	try, cancel := context.WithTimeout(ctx, attempt(t.Delay))
	defer cancel()
	err := k.Events.Send(try, server, t.DelayID)
	k.answered(t, "send", now, t.Since, err)
	switch matrix.ResultOf(err) {
	case matrix.ResultDone:
		k.end(ctx, t.Job, slog.LevelInfo, "sent")
	case matrix.ResultGone:
		k.end(ctx, t.Job, slog.LevelInfo, "the homeserver had sent or dropped it already")
	case matrix.ResultForbidden:
		k.end(ctx, t.Job, slog.LevelWarn, "the homeserver refused it and dropped it: the owner has left the room or lacks power")
	default:
		k.logFailure(t.Job, "send", t.Sends, err)
		wait := k.backOff(server, err)
		k.write(ctx, t.Job, func(j Job) Job { return j.SendFailed(k.now(), wait) })
	}
}

func (k *Keeper) degraded() bool { return k.Degraded != nil && k.Degraded() }

// cancel ends one delegation that was replaced.
func (k *Keeper) cancel(ctx context.Context, t task) {
	server, id := t.User.Server(), t.Replaces[0]
	if wait := k.Budget.take(server, sending, k.now()); wait > 0 {
		k.write(ctx, t.Job, func(j Job) Job { return j.cancelPostponed(k.now(), wait) })
		return
	}
	if !k.held(t) {
		return
	}
	sent := k.now()
	try, stop := context.WithTimeout(ctx, attempt(t.Delay))
	defer stop()
	err := k.Events.Cancel(try, server, id)
	k.answered(t, "cancel", sent, t.AcceptedAt, err)
	switch matrix.ResultOf(err) {
	case matrix.ResultDone, matrix.ResultGone, matrix.ResultForbidden:
		k.write(ctx, t.Job, func(j Job) Job { return j.Cancelled(id) })
	default:
		k.logFailure(t.Job, "cancel", t.Cancels, err)
		wait := k.backOff(server, err)
		k.write(ctx, t.Job, func(j Job) Job { return j.CancelFailed(k.now(), wait) })
	}
}

// backOff is how long the homeserver wants to be left alone.
func (k *Keeper) backOff(server matrix.ServerName, err error) time.Duration {
	wait := retryAfter(err)
	if matrix.ResultOf(err) == matrix.ResultLimited {
		k.Budget.limited(server, wait, k.now())
	}
	return wait
}

// answered is told what came of an action that was due at due and began at sent.
func (k *Keeper) answered(t task, action string, sent, due time.Time, err error) {
	k.shares.answered(t.User.Server(), k.Clock.Since(sent))
	if k.Observe != nil {
		k.Observe(action, matrix.ResultOf(err), max(sent.Sub(due), 0))
	}
}

func (k *Keeper) jittered(d time.Duration) time.Duration {
	if k.Jitter != nil {
		return k.Jitter(d)
	}
	return d - time.Duration(rand.Int64N(int64(d/10)+1))
}
