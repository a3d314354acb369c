package redisstore

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// life is what this process knows of the server's data, so that scripts can find out
// whether the server has lost jobs. After a loss, all calls return
// [leave.ErrForgotten]. Then package standby answers the calls from memory, and calls
// [Store.Merge] with its copies of the jobs.
type life struct {
	mu      sync.Mutex
	known   known
	wroteAt time.Time // when this process last learned of a write of its own
	ended   bool      // whether the server has lost jobs, and Merge has not restored them yet
}

// known is what a script must find in Redis. If it finds anything else, jobs were lost.
// The epoch is a random text. The server gets a new one after each loss of data.
type known struct {
	epoch  string // "" before this process has reached the server
	writes uint64 // how many writes (by all processes) this process knows of; Redis must have counted at least as many
	wrote  uint64 // the count of writes right after this process's last write; 0 tells the script not to check this count
}

// rememberWrote is how long after this process's last write the scripts check
// known.wrote (the count of writes right after that write). Later they could not check
// it, because Redis drops this count 25 h after the write.
const rememberWrote = 24 * time.Hour

// expected returns what the next script must find in Redis.
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

// reached records two counts that Redis has sent: writes is the present number of
// writes by all processes, and wrote is that number right after this process's last
// write. The counts belong to epoch, a random text that is new after each loss of data.
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

// end records that the epoch has ended, because the server has lost its jobs. It does
// nothing if this process already knows a newer epoch.
func (l *life) end(epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch == l.known.epoch {
		l.ended = true
	}
}

// begin records the present epoch of the Redis server, and that this epoch has not
// ended. writes is the count of writes that the server sent together with the epoch.
func (l *life) begin(epoch string, writes uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.ended = known{epoch: epoch, writes: writes}, false
}

// state returns the epoch of the Redis server, and whether that epoch has ended, which
// means that the server has lost its jobs.
func (l *life) state() (epoch string, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known.epoch, l.ended
}

// meet makes the first contact with the Redis server. It reads the server's clock and the
// server's epoch (the text in known.epoch). If the server has no epoch yet, meet
// gives it one. Then meet checks whether the server removes keys when its memory is
// full.
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

// begin records the server's epoch (see known) as this process's epoch. The argument
// broken is an epoch in which jobs were lost. If the server still has the epoch broken,
// or has none, begin first gives the server a new epoch.
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
