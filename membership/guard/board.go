package guard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Board is the state that the guards of all replicas share. An error means that
// the board does not answer.
type Board interface {
	// TakeSweep reports whether holder is the replica that sweeps, that is, checks
	// everybody on the SFU regularly. If so, holder stays that replica until the
	// time d has passed since its last call of TakeSweep.
	TakeSweep(ctx context.Context, holder string, d time.Duration) (bool, error)
	// SetBrake engages the brake if on is true, and releases it otherwise. While the
	// brake holds, no replica removes anybody. Brake returns the argument on of
	// the last call of SetBrake.
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

// TakeSweep implements [Board].
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

// SetBrake implements [Board].
func (l *Local) SetBrake(_ context.Context, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.brake = on
	return nil
}

// Brake implements [Board].
func (l *Local) Brake(context.Context) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.brake, nil
}

// File is the [Board] of one process. It keeps the state of the brake over a
// restart of the process: a file exists while the brake holds.
type File struct {
	Local
	path string
}

// OpenFile returns a board that keeps the brake's state in the file with this
// path. While the file exists, the brake stops all removals. Only one process
// may use that file.
func OpenFile(path string) *File {
	_, err := os.Stat(path)
	return &File{Local: Local{brake: err == nil}, path: path}
}

// SetBrake implements [Board]. If it returns an error, the file may still show
// the old state, but this process uses the new one.
func (f *File) SetBrake(ctx context.Context, on bool) error {
	_ = f.Local.SetBrake(ctx, on) // Local.SetBrake never fails
	if on {
		return os.WriteFile(f.path, nil, 0o600)
	}
	if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// boardTime bounds one call of a method of the board.
const boardTime = time.Second
