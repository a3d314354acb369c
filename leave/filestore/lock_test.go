package filestore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/clock"
)

func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		put(t, p.open(t, osDisk{}, spare), 1)
		start := time.Now()
		_, err := Open(t.Context(), p.path, clock.New(), nil)
		if took := time.Since(start); err == nil || took != 15*time.Second {
			t.Errorf("Open by a second process: got %v after %v, want an error after 15 s", err, took)
		} else if !strings.Contains(err.Error(), p.path) {
			t.Errorf("Open by a second process: got %v, want %q in it", err, p.path)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Open(ctx, p.path, clock.New(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open by a second process: got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		old := p.open(t, osDisk{}, spare)
		put(t, old, 1)
		time.AfterFunc(5*time.Second, func() { old.Close() })
		start := time.Now()
		wantIDs(t, p.open(t, osDisk{}, spare), 1)
		if took := time.Since(start); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("Open by a second process took %v, want 5 s to 6 s, because the first one closes the file after 5 s", took)
		}
	})
}
