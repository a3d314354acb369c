package standby

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/matrix"
)

const (
	// answerTime is how long the store may take to answer.
	answerTime = time.Second
	// mostAccepted bounds the new delegations that memory accepts in one outage.
	// The Store refuses further delegations with a leave.LimitError ("outage").
	mostAccepted = 50_000
	// In an outage, ClaimRooms may return a room again after lookEvery. Then the
	// keeper asks the SFU who is in the room. The time is short because webhooks
	// may reach replicas that do not know the room's jobs.
	lookEvery = 5 * time.Second
	// closeTime is how long Close waits for the store, whose Close may never return.
	closeTime = 5 * time.Second
)

// Behind is a store that can be put behind a standby [Store].
type Behind interface {
	leave.Store
	// Merge merges copies that were changed while the store was away, by
	// [leave.Merged]. Each merged job gets a higher version than both copies had. A
	// job that has ended in the store can come back. Then the homeserver answers
	// 404, which ends the job again.
	Merge(ctx context.Context, jobs []leave.Job) error
}

// Store is a [leave.Store] that goes on while the store behind it does not
// answer. New makes one.
type Store struct {
	mode
	store   Behind
	log     *slog.Logger
	observe func(Status)

	looks   time.Duration // after what time ClaimRooms may return a room again in an outage: lookEvery, unless a test sets it
	stop    context.CancelFunc
	stopped context.Context
	running sync.WaitGroup

	mu     lock
	memory *memstore.Store
	sweep  sweep
	outage *outage       // nil while the store answers
	since  time.Time     // when the outage began; without an outage, when the last one ended
	pause  time.Duration // the first pause of the next outage, if that outage begins soon
	counts counts
}

var _ Behind = (*Store)(nil)

// mode answers the calls. It is either copying or residing.
type mode interface {
	Behind
	// probe checks whether the store answers at all.
	probe(context.Context) error
	// deliver writes changes to the store.
	deliver(context.Context, work) error
}

// counts holds totals that only grow.
type counts struct{ outages, merged uint64 }

// Status is the state of the store.
type Status struct {
	Degraded bool      // whether there is an outage: the store does not answer
	Since    time.Time // when Degraded last changed
	Cause    error     // the store's last error, in at most 200 bytes; nil unless Degraded
	Copies   int       // the number of jobs in memory, on which this process can work in an outage
	Accepted int       // the number of delegations that only this process knows
	Unmerged int       // the number of jobs to write or remove after the outage
	Outages  uint64    // the number of outages since the start
	Merged   uint64    // the number of jobs that were written or removed after an outage
}

// New returns a store that protects behind. It makes one call to behind. If behind
// does not answer, the first outage begins at once. observe, if not nil, is called
// when an outage begins and when it ends.
func New(ctx context.Context, behind Behind, log *slog.Logger, observe func(Status)) *Store {
	s := &Store{mu: make(lock, 1), store: behind, log: log, observe: observe, looks: lookEvery, since: time.Now()}
	if r, ok := behind.(Resident); ok {
		s.memory = r.Memory()
		s.mode = residing{s.memory, s, r}
	} else {
		s.memory = memstore.New()
		s.mode = copying{s}
	}
	if s.observe == nil {
		s.observe = func(Status) {}
	}
	s.stopped, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if _, err := within(ctx, answerTime, errorOf(s.probe)); away(err) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.begin(err)
	}
	return s
}

// Status returns the current state of the store.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{Since: s.since, Outages: s.counts.outages, Merged: s.counts.merged}
	status.Copies = s.copies()
	if o := s.outage; o != nil {
		status.Degraded, status.Cause = true, o.cause
		status.Accepted, status.Unmerged = len(o.accepted), o.left()
	}
	return status
}

// copies returns how many jobs memory holds.
func (s *Store) copies() int {
	n, _ := s.memory.Count(always(), matrix.UserID{}) // cannot fail: the store is in memory
	return n.All
}

// Close stops asking a store that is away. It tries once more to write the changes
// to the store, and closes the store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	ctx := context.Background()
	_, _ = within(ctx, answerTime, errorOf(func(context.Context) error {
		s.running.Wait() // Close does not wait longer, because a disk may never answer
		return nil
	}))
	if s.Status().Degraded {
		_, err := within(ctx, answerTime, errorOf(func(ctx context.Context) error { return s.handBack(ctx, 0) }))
		if left := s.Status(); err != nil && left.Unmerged > 0 {
			s.log.Error("leave: the store still does not answer; changes that are only in memory are lost",
				"delegations", left.Accepted, "changes", left.Unmerged, "err", err)
		}
	}
	_, err := within(ctx, closeTime, errorOf(func(context.Context) error { return s.mode.Close() }))
	return err
}
