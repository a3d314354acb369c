package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/keeper"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// homeserver is a world (test set-up) whose homeserver records the restarts of all
// keepers.
type homeserver struct {
	*world
	takes time.Duration // how long the homeserver takes for an answer

	mu      sync.Mutex
	last    map[string]time.Time
	longest time.Duration // the longest time between two restarts of one leave
	busy    map[string]bool
	twice   int // how many restarts began while another restart of the same leave was running
}

func newHomeserver(w *world, takes time.Duration) *homeserver {
	return &homeserver{world: w, takes: takes, last: map[string]time.Time{}, busy: map[string]bool{}}
}

func (h *homeserver) Restart(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error {
	h.note(func() {
		if h.busy[id.String()] {
			h.twice++
		}
		h.busy[id.String()] = true
	})
	defer h.note(func() { h.busy[id.String()] = false })
	if !within(ctx, h.takes) {
		return &matrix.DelayError{Result: matrix.ResultFailed, Err: ctx.Err()}
	}
	h.note(func() {
		h.longest = max(h.longest, time.Since(h.last[id.String()]))
		h.last[id.String()] = time.Now()
	})
	return h.world.Restart(ctx, owner, id)
}

func (h *homeserver) note(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// fill brings members into the call one after another, so that the keeper must restart
// their leaves at different times.
func (h *homeserver) fill(members int, delay time.Duration) (names []string) {
	h.t.Helper()
	for i := range members {
		name := fmt.Sprintf("m%d", i)
		names = append(names, name)
		k := leave.Key{Room: key.Room, Identity: sfu.Identity(name)}
		h.set(func() {
			h.makeRoom()
			h.present.add(k, "S"+name)
		})
		h.schedule(name, delay)
		h.note(func() { h.last[name] = time.Now() })
		job := leave.New(k, user(h.t), delayID(h.t, name), delay, h.clock.Now()).Joined(h.clock.Now(), "S"+name)
		if _, err := h.store.Put(h.t.Context(), job); err != nil {
			h.t.Fatal(err)
		}
		time.Sleep(leave.Period(delay) / time.Duration(members))
	}
	return names
}

// within waits for the time d. It reports false if ctx ends first.
func within(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// mortal is the store of a process that a test can kill, and also the process's
// connection to homeservers. After a call of kill, the process dies when it next claims
// jobs. From then on, all its calls fail.
type mortal struct {
	leave.Store
	events keeper.Events

	mu          sync.Mutex
	dying, dead bool
}

var errDead = errors.New("the process has been killed")

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dying = true
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errDead
	}
	jobs, err := m.Store.Claim(ctx, holder, now, n)
	if m.dying && len(jobs) > 0 {
		m.dead = true
	}
	return jobs, err
}

func (m *mortal) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	if m.isDead() {
		return job, errDead
	}
	return m.Store.Save(ctx, job)
}

func (m *mortal) Restart(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error {
	if m.isDead() {
		<-ctx.Done()
		return &matrix.DelayError{Result: matrix.ResultFailed, Err: errDead}
	}
	return m.events.Restart(ctx, owner, id)
}

func (m *mortal) Send(context.Context, matrix.UserID, matrix.DelayID) error   { return errDead }
func (m *mortal) Cancel(context.Context, matrix.UserID, matrix.DelayID) error { return errDead }

// beside starts one more keeper, which acts as another replica. This keeper uses store,
// and sends its requests to homeservers through events.
func (w *world) beside(store leave.Store, events keeper.Events) {
	k := &keeper.Keeper{
		Store: store, Clock: w.machine.Clock(), SFU: w, Events: events, Holder: "beside",
		Grace: grace, Interval: w.interval, Jitter: w.jitter, Budget: &pace.Budget{}, Log: w.log, Shared: true,
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	w.t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// unshortened is a function for Keeper.Jitter that leaves each pause as it is.
func unshortened(pause time.Duration) time.Duration { return pause }

// TestKilledReplica kills a replica that has claimed jobs. Another replica must restart
// the leaves of these jobs. Between two restarts of a leave, at most half of its delay
// may pass.
func TestKilledReplica(t *testing.T) {
	for _, delay := range []time.Duration{8 * time.Second, 12 * time.Second, 18 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHomeserver(newWorld(t), 20*time.Millisecond)
				h.answers, h.jitter = h, unshortened
				h.tick = 70 * time.Millisecond // no delay in this test is a multiple of this tick
				h.again(time.Minute)
				killed := &mortal{Store: h.store, events: h}
				h.beside(killed, killed)
				names := h.fill(100, delay)
				time.Sleep(time.Minute)
				killed.kill()
				time.Sleep(time.Minute)
				if !killed.isDead() {
					t.Fatal("the killed replica: got no claimed job, want some")
				}
				h.note(func() {
					if h.longest > delay/2 {
						t.Errorf("a leave with the delay %v was not restarted for %v, want at most half of its delay", delay, h.longest)
					}
				})
				for _, name := range names {
					h.wantFate(name, "", time.Time{}, 0)
				}
			})
		})
	}
}

// late is a store whose Claim waits before it returns the claimed jobs. The field by is
// how long it waits.
type late struct {
	leave.Store
	by time.Duration
}

func (l late) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	jobs, err := l.Store.Claim(ctx, holder, now, n)
	if len(jobs) > 0 {
		time.Sleep(l.by)
	}
	return jobs, err
}

// TestSlowHolder has a replica that gets its claimed jobs too late, or waits too long
// for the homeserver. Meanwhile another replica has claimed the jobs. The slow replica
// must not restart these jobs.
func TestSlowHolder(t *testing.T) {
	const delay = 18 * time.Second
	for _, part := range []time.Duration{0, 1, 2, 3, 4, 5, 6, 7} {
		by := part * delay / 40
		t.Run(by.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHomeserver(newWorld(t), 2500*time.Millisecond)
				h.answers = h
				h.again(time.Minute)
				h.beside(late{h.store, by}, h)
				names := h.fill(100, delay)
				time.Sleep(2 * time.Minute)
				h.note(func() {
					if h.twice > 0 {
						t.Errorf("restarts begun while another replica waited for the same one: got %d, want 0", h.twice)
					}
				})
				for _, name := range names {
					h.wantFate(name, "", time.Time{}, 0)
				}
			})
		})
	}
}
