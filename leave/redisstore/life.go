package redisstore

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// life is what this process knows of the server's current life, which is the time
// since the server last lost data. When a script finds that the server has lost
// jobs, calls return [leave.ErrForgotten]. Then package standby answers them from
// memory, and gives its copies of the jobs back ([Store.Merge]).
type life struct {
	mu      sync.Mutex
	known   known
	wroteAt time.Time // when the count of this process's writes last rose
	ended   bool      // whether the server has lost jobs that were not restored yet
}

// known is what a script must find in Redis; otherwise jobs were lost. The epoch
// is a random text. After each loss of data the server gets a new one.
type known struct {
	epoch  string // "" before the first contact
	writes uint64 // how many writes by all processes there must be at least
	wrote  uint64 // how many writes there were right after this process's last write; 0 if a script need not check that
}

// rememberWrote is how long after a write of this process a script must still find
// the count of writes at that write: an hour less than the server keeps it.
const rememberWrote = 24 * time.Hour

// expected returns what a script must find in Redis.
func (l *life) expected(now time.Time) (known, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.known
	if l.ended {
		return k, leave.ErrForgotten
	}
	if now.Sub(l.wroteAt) > rememberWrote {
		k.wrote = 0
	}
	return k, nil
}

// reached records the two counts in an answer: all writes, and the writes at our
// own last write.
func (l *life) reached(epoch string, writes, wrote uint64, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch != l.known.epoch {
		return
	}
	l.known.writes = max(l.known.writes, writes)
	if wrote > l.known.wrote {
		l.known.wrote, l.wroteAt = wrote, now
	}
}

// end records that a script did not find what it must find. So the epoch has
// ended.
func (l *life) end(epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch == l.known.epoch {
		l.ended = true
	}
}

// begin records a new epoch. writes is how many writes there were when it began.
func (l *life) begin(epoch string, writes uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.ended = known{epoch: epoch, writes: writes}, false
}

// state returns the epoch, and whether it has ended.
func (l *life) state() (epoch string, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known.epoch, l.ended
}

// meet makes the first contact with the server: it reads the server's clock, joins
// the server's epoch or begins the first epoch, and checks the eviction policy.
func (s *Store) meet(ctx context.Context) error {
	if epoch, _ := s.life.state(); epoch != "" {
		return nil
	}
	if err := s.readClock(ctx); err != nil {
		return err
	}
	if err := s.begin(ctx, ""); err != nil {
		return err
	}
	s.checkEviction(ctx)
	return nil
}

func (s *Store) readClock(ctx context.Context) error {
	sent := s.clock.ours.Now()
	numbers, err := s.eval(ctx, clockScript, nil, nil).Int64Slice()
	if err != nil {
		return s.failed(err)
	}
	if len(numbers) != 2 {
		return errHead
	}
	return s.heard(ctx, numbers[0], numbers[1], sent)
}

// begin joins the server's epoch. If the server has no epoch, or still has the
// epoch broken, in which jobs were lost, it begins a new epoch.
func (s *Store) begin(ctx context.Context, broken string) error {
	for range 2 {
		r, err := s.run(ctx, beginScript, nil, []any{s.limit(ctx), rand.Text(), broken})
		switch {
		case err != nil:
			return err
		case r.status == statusOK && len(r.rest) == 1:
			s.life.begin(r.rest[0], r.writes)
			return nil
		}
	}
	return errLate
}
