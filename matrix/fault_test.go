package matrix_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestFaultsEndOneRequest checks several requests that wait for the same
// discovery or look-up, which panics. The panic ends these requests, but does
// not count as a failure of a client. The next request must succeed.
func TestFaultsEndOneRequest(t *testing.T) {
	faulty := func(t *testing.T) (*world, *matrix.DelayedEvents, *atomic.Bool) {
		w, _, events := delaying(t)
		var broken atomic.Bool
		dial := w.resolver.OtherTransport.Dial
		w.resolver.OtherTransport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if broken.Load() {
				panic("a fault")
			}
			return dial(ctx, network, address)
		}
		return w, events, &broken
	}
	wantFault := func(t *testing.T, err error) {
		t.Helper()
		if _, ok := errors.AsType[*fault.Error](err); !ok {
			t.Errorf("got %v, want the fault", err)
		}
	}
	t.Run("a search", func(t *testing.T) {
		w, _, broken := faulty(t)
		hs := &matrixtest.Homeserver{}
		w.Serve("b.test:8448", hs)
		broken.Store(true)
		_, err := w.verify(t, hs, "@bob:b.test")
		wantFault(t, err)
		if e, ok := errors.AsType[*matrix.VerifyError](err); !ok || !e.SparesClient() {
			t.Errorf("got %v, want an error that spares the client", err)
		}
		broken.Store(false)
		if _, err := w.verify(t, hs, "@bob:b.test"); err != nil {
			t.Errorf("the next request: got %v, want no error", err)
		}
	})
	t.Run("a look-up", func(t *testing.T) {
		_, events, broken := faulty(t)
		broken.Store(true)
		wantFault(t, events.Manageable(t.Context(), matrixtest.ServerName(t, "a.test")))
		broken.Store(false)
		if err := events.Manageable(t.Context(), matrixtest.ServerName(t, "a.test")); err != nil {
			t.Errorf("the next request: got %v, want no error", err)
		}
	})
}
