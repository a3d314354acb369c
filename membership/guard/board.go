package guard

import (
	"context"
	"sync"
	"time"
)

// Board is what the replicas that guard one SFU have in common. Errors mean: it
// does not answer.
type Board interface {
	// TakeSweep reports whether holder is the one that sweeps, until d has passed
	// since its last call.
	TakeSweep(ctx context.Context, holder string, d time.Duration) (bool, error)
	// SetBrake says whether the brake holds, Brake whether it does.
	SetBrake(ctx context.Context, on bool) error
	Brake(ctx context.Context) (bool, error)
}

// Local is the [Board] of one process. The zero value is ready.
type Local struct {
	mu     sync.Mutex
	holder string
	until  time.Time
	brake  bool
}

// TakeSweep is a [Board]'s.
func (l *Local) TakeSweep(_ context.Context, holder string, d time.Duration) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.holder != holder && now.Before(l.until) {
		return false, nil
	}
	l.holder, l.until = holder, now.Add(d)
	return true, nil
}

// SetBrake is a [Board]'s.
func (l *Local) SetBrake(_ context.Context, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.brake = on
	return nil
}

// Brake is a [Board]'s.
func (l *Local) Brake(context.Context) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.brake, nil
}

// boardTime bounds a question to the board.
const boardTime = time.Second
