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
	// mostAccepted is how many new delegations memory accepts in one outage at most. The
	// Store refuses further delegations with a leave.LimitError ("outage").
	mostAccepted = 50_000
	// lookEvery is the shortest time after which ClaimRooms returns a room again in an
	// outage. For each room that it returns, the keeper asks the SFU who is in the
	// room. The time is short, because in an outage the webhook about a room may reach
	// a replica that does not know the room's jobs.
	lookEvery = 5 * time.Second
	// closeTime is how long Close waits for the Close of the store behind this one,
	// which may never return.
	closeTime = 5 * time.Second
)

// Behind is a store that can stand behind a standby [Store].
type Behind interface {
	leave.Store
	// While the store did not answer, the caller has changed its own copies of some jobs.
	// Merge writes these copies to the store. If the store already has a job, Merge first
	// merges the copy with it ([leave.Merged]). Each merged job gets a higher version than
	// the stored job and the copy. Merge can store a job anew that has ended in the store.
	// Then the homeserver answers 404, which ends the job again.
	Merge(ctx context.Context, jobs []leave.Job) error
}

// Store is a [leave.Store] that goes on while the store behind it does not answer. New
// makes one.
type Store struct {
	mode
	store   Behind
	log     *slog.Logger
	observe func(Status)

	// looks is the shortest time after which ClaimRooms returns a room again in an
	// outage. It is lookEvery, unless a test sets another time.
	looks   time.Duration
	stop    context.CancelFunc
	stopped context.Context
	running sync.WaitGroup

	mu     lock
	memory *memstore.Store
	sweep  sweep
	outage *outage       // nil while the store answers
	since  time.Time     // when the present outage began; if there is none, when the last outage ended
	pause  time.Duration // if the next outage begins soon, how long recover waits before it first asks the store
	counts counts
}

var _ Behind = (*Store)(nil)

// mode answers the calls of a Store. Its type is either copying or residing.
type mode interface {
	Behind
	// probe checks whether the store behind the Store answers.
	probe(context.Context) error
	// deliver writes changes to the store behind the Store.
	deliver(context.Context, work) error
}

// counts holds numbers of events since the start.
type counts struct{ outages, merged uint64 }

// Status is the present state of a Store.
type Status struct {
	Degraded bool      // whether there is an outage, in which the store behind this one does not answer
	Since    time.Time // when Degraded last changed
	Cause    error     // the last error of the store behind this one, in at most 200 bytes; nil unless Degraded
	Copies   int       // how many jobs are in memory; in an outage, the process can work on these jobs only
	Accepted int       // how many new delegations only this process knows
	Unmerged int       // how many jobs must be written or removed after the outage
	Outages  uint64    // how many outages there were since the start
	Merged   uint64    // how many jobs were written or removed after an outage
}

// New returns a Store in front of behind. It makes one call to behind. If behind does
// not answer, the first outage begins immediately. observe, if not nil, is called when
// an outage begins and when it ends.
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

// Status returns the present state of the Store.
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
	n, _ := s.memory.Count(always(), matrix.UserID{}) // a store in memory returns no error
	return n.All
}

// Close closes the store behind s. If that store does not answer at present, Close first
// tries once more to write to it the changes that are only in memory.
func (s *Store) Close() error {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	ctx := context.Background()
	_, _ = within(ctx, answerTime, errorOf(func(context.Context) error {
		// The wait for these goroutines ends after answerTime, because a disk may never
		// answer.
		s.running.Wait()
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
