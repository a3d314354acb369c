package redisstore

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostMoved is how many records one script moves into the record format in which
	// jobs are now written. A claim also moves about this many.
	mostMoved = 50
	// mostScans is how many scripts one claim runs at most to find records that are not
	// yet in the record format in which jobs are now written. One script may find few
	// of them, if most records have moved.
	mostScans = 10
	// moveAgain is the time between two searches through all records. A second search is
	// needed only if some records could not move, because they are not valid jobs.
	moveAgain = time.Minute
)

// mover searches for records that are not in the record format in which jobs are now
// written. The zero value is ready to use.
type mover struct {
	mu     sync.Mutex
	from   form
	cursor string    // where the next script of the search continues
	wait   time.Time // the earliest time of the next search
}

// scanBegin is the cursor with which a scan in Redis begins. At the end of the scan,
// Redis returns the same cursor.
const scanBegin = "0"

// move moves some records into the record format in which jobs are now written. Claims
// call move; began is when the claim began. If move fails, a later claim tries again.
// move must take little time, because the caller of a slow claim would believe
// that Redis does not answer.
func (s *Store) move(ctx context.Context, began time.Time) {
	m := &s.mover
	if !m.mu.TryLock() {
		return // another claim is already moving records
	}
	defer m.mu.Unlock()
	now := s.clock.ours.Now()
	if from := s.form.now().other(); from != m.from {
		m.from, m.cursor, m.wait = from, scanBegin, time.Time{}
	}
	if now.Before(m.wait) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.callTime/4)
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

// hasTime reports whether a claim still has time for optional work. began is when the
// claim began.
func (s *Store) hasTime(began time.Time) bool { return s.clock.ours.Since(began) < s.callTime/4 }

// moveSome makes the next step of the search for records that are not in the record
// format in which jobs are now written. It moves the records that this step finds. It
// returns the number of these records.
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

// moveRecords moves records into the other record format. It does not move a record
// that is not a valid job, or that cannot be written in the other record format.
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
		_, _ = s.unite(ctx, changes[i].job.Key, result.stored) // after an error, the next call about this job merges its two records
	}
	return nil
}
