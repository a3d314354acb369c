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
	// patience is how long the store may take to answer.
	patience = time.Second
	// mostAccepted is how many new delegations memory takes in one outage.
	mostAccepted = 50_000
	// lookEvery is how often the SFU is asked for a room in an outage: reports
	// of what happened there may have gone to a replica that does not know it.
	lookEvery = 5 * time.Second
	// closeTime is how long the store may take to close: it may never.
	closeTime = 5 * time.Second
)

// Behind is a store that a standby may stand before.
type Behind interface {
	leave.Store
	// Merge brings in copies that were worked on while the store was away, by
	// the rule of [leave.Merged]. A job that ended here is brought back; the
	// homeserver's 404 will end it. What it writes gets versions greater than
	// those of both copies.
	Merge(ctx context.Context, jobs []leave.Job) error
}

// Store is a [leave.Store] that goes on when the one behind it does not answer.
// New makes one.
type Store struct {
	mode
	store   Behind
	log     *slog.Logger
	observe func(Status)

	looks   time.Duration // lookEvery, but in tests about something else
	stop    context.CancelFunc
	stopped context.Context
	running sync.WaitGroup

	mu     lock
	memory *memstore.Store
	sweep  sweep
	outage *outage // nil while the store answers
	since  time.Time
	pause  time.Duration // before the store is asked, if an outage begins soon
	counts counts
}

var _ Behind = (*Store)(nil)

// mode is how calls are answered: copying or residing.
type mode interface {
	Behind
	// probe asks the store for an answer, whatever it is.
	probe(context.Context) error
	// deliver gives the store what it lacks.
	deliver(context.Context, work) error
}

// counts only grow.
type counts struct{ outages, merged uint64 }

// Status is how the store does.
type Status struct {
	Degraded bool      // it does not answer
	Since    time.Time // when that, or the opposite, began
	Cause    error     // what it said last, in at most 200 bytes; nil unless Degraded
	Copies   int       // jobs that this process could, or does, go on with
	Accepted int       // delegations that no other process knows
	Unmerged int       // jobs that are to be written, or removed, when it is back
	Outages  uint64    // how many there were since the start
	Merged   uint64    // jobs that were written, or removed, after one
}

// New returns the store that stands before behind. It asks it once: if it does
// not answer, the first outage begins at once. Observe, if not nil, is told of
// each beginning and end of an outage. Close ends it.
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
	if _, err := within(ctx, patience, errorOf(s.probe)); away(err) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.begin(err)
	}
	return s
}

// Status returns how the store does now.
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

// copies is how many jobs memory knows.
func (s *Store) copies() int {
	n, _ := s.memory.Count(always(), matrix.UserID{}) // it never fails
	return n.All
}

// Close ends the search for a store that is away, tries once more to give it
// what it lacks, and closes it.
func (s *Store) Close() error {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	ctx := context.Background()
	_, _ = within(ctx, patience, errorOf(func(context.Context) error {
		s.running.Wait() // or not: it may be waiting for a disk
		return nil
	}))
	if s.Status().Degraded {
		_, err := within(ctx, patience, errorOf(func(ctx context.Context) error { return s.handBack(ctx, 0) }))
		if left := s.Status(); err != nil && left.Unmerged > 0 {
			s.log.Error("leave: the store is still away; what only memory knows is lost",
				"delegations", left.Accepted, "changes", left.Unmerged, "err", err)
		}
	}
	_, err := within(ctx, closeTime, errorOf(func(context.Context) error { return s.mode.Close() }))
	return err
}
