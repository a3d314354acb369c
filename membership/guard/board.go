package guard

import (
	"context"
	"errors"
	"io/fs"
	"os"
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

// File is the [Board] of one process that knows after a restart whether the brake
// held: then a file is there.
type File struct {
	Local
	path string
}

// OpenFile returns the board whose brake holds while the file path is there. There
// may be only one process.
func OpenFile(path string) *File {
	_, err := os.Stat(path)
	return &File{Local: Local{brake: err == nil}, path: path}
}

// SetBrake is a [Board]'s. With an error it holds for this process all the same.
func (f *File) SetBrake(ctx context.Context, on bool) error {
	_ = f.Local.SetBrake(ctx, on) // which does not fail
	if on {
		return os.WriteFile(f.path, nil, 0o600)
	}
	if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// boardTime bounds a question to the board.
const boardTime = time.Second
