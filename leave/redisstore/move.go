package redisstore

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostMoved is how many records are moved by one script into the form that
	// jobs are written in, and about how many a claim moves.
	mostMoved = 50
	// mostScans is how many scripts a claim reads them with: where most are moved
	// already, one finds few.
	mostScans = 10
	// moveAgain is how long after all were looked at it begins anew, if some are
	// left: they are no jobs.
	moveAgain = time.Minute
)

// mover goes through the records of the form that is not written any more. The
// zero value is ready.
type mover struct {
	mu     sync.Mutex
	from   form
	cursor string    // where the next scan goes on
	wait   time.Time // not before
}

// scanBegin is the cursor of a scan at its beginning, and after its end.
const scanBegin = "0"

// move moves some records into the form that jobs are written in, for a claim that
// began then. What fails is tried again with a later one. Who claims must not wait
// for long: it would take Redis for away.
func (s *Store) move(ctx context.Context, began time.Time) {
	m := &s.mover
	if !m.mu.TryLock() {
		return // another claim moves
	}
	defer m.mu.Unlock()
	now := s.clock.ours.Now()
	if from := s.form.now().other(); from != m.from {
		m.from, m.cursor, m.wait = from, scanBegin, time.Time{}
	}
	if now.Before(m.wait) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience/4)
	defer cancel()
	for moved, scans := 0, 0; moved < mostMoved && scans < mostScans && s.hasTime(began); scans++ {
		some, err := s.moveSome(ctx)
		if err != nil {
			return
		}
		if moved += some; m.cursor == scanBegin {
			m.wait = now.Add(moveAgain)
			return
		}
	}
}

// hasTime reports whether a claim that began then can do more than it has to.
func (s *Store) hasTime(began time.Time) bool { return s.clock.ours.Since(began) < s.patience/4 }

// moveSome moves the records that the next part of the scan finds, and returns how
// many those are.
func (s *Store) moveSome(ctx context.Context) (int, error) {
	m := &s.mover
	values, err := s.call(ctx, scanScript, m.from.String(), m.cursor, mostMoved)
	if err != nil {
		return 0, err
	}
	if len(values) == 0 {
		return 0, errAnswer
	}
	var records []stored
	places, found := halves(values[1:])
	for i, value := range found {
		records = append(records, stored{m.from, places[i], value})
	}
	for some := range slices.Chunk(records, mostMoved) {
		if err := s.moveRecords(ctx, some); err != nil {
			return 0, err
		}
	}
	m.cursor = values[0]
	return len(records), nil
}

// moveRecords moves records. What is no job stays where it is, and so does what
// cannot be written in the other form.
func (s *Store) moveRecords(ctx context.Context, records []stored) error {
	var changes []change
	for _, r := range records {
		job, err := decode(r)
		if err == nil {
			_, err = r.form.other().encode(job)
		}
		if err == nil {
			changes = append(changes, change{job: job, expects: r.version(), moves: true})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	results, err := s.write(ctx, changes...)
	if err != nil {
		return err
	}
	for i, result := range results {
		_, _ = s.unite(ctx, changes[i].job.Key, result.stored) // else who asks for the job does
	}
	return nil
}
