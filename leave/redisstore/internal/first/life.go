package first

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// life is what this process knows of the Redis server's data. With it, scripts find out
// whether the server has lost jobs.
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
	writes uint64 // the server must have counted at least this many writes, by all processes together
	wrote  uint64 // the count of writes right after this process's last write; 0 if the script does not check it
}

// rememberWrote is how long after this process's last write the scripts check
// known.wrote (the count of writes right after that write). Redis keeps this count for
// an hour longer.
const rememberWrote = 24 * time.Hour

// expected returns the epoch and the counts of writes that the next script must find
// in Redis.
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
// write.
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

// end records that the server has lost the jobs of the epoch, unless a newer epoch has
// already begun.
func (l *life) end(epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch == l.known.epoch {
		l.ended = true
	}
}

func (l *life) begin(epoch string, writes uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.ended = known{epoch: epoch, writes: writes}, false
}

// state returns the epoch of the Redis server (a random text that is new after each loss
// of data), and whether the server has lost its jobs in that epoch.
func (l *life) state() (epoch string, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known.epoch, l.ended
}

// meet makes the first contact with the server. It reads the server's clock and the
// server's epoch (the text in known.epoch). If the server has no epoch yet, meet gives
// it one.
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
	return nil
}

func (s *Store) readClock(ctx context.Context) error {
	sent := s.clock.ours.Now()
	numbers, err := s.eval(ctx, clockScript, nil).Int64Slice()
	if err != nil {
		return err
	}
	if len(numbers) != 2 {
		return errHead
	}
	return s.heard(ctx, numbers[0], numbers[1], sent)
}

// begin makes this process use the server's epoch, a random text that is new after each
// loss of data. The argument broken is an epoch in which jobs were lost. If the server
// still has this epoch, or has no epoch, begin gives the server a new one.
func (s *Store) begin(ctx context.Context, broken string) error {
	for range 2 {
		r, err := s.run(ctx, beginScript, []any{s.limit(ctx), rand.Text(), broken})
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
