package standby_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/standby"
	"matrixrtc-auth/matrix"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t *testing.T, behind leavetest.Store) *standby.Store {
	t.Helper()
	s := standby.New(t.Context(), behind, quiet(), nil)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	leavetest.RunVirtual(t, func(t *testing.T) leavetest.Store { return open(t, memstore.New()) })
}

func TestConformanceOfTwo(t *testing.T) {
	leavetest.RunSharedVirtual(t, func(t *testing.T) (a, b leavetest.Store) {
		shared := memstore.New()
		return open(t, shared), open(t, shared)
	})
}

// TestConformanceInOutage runs the tests of all stores with a Store that is in an
// outage. In an outage, ClaimRooms returns rooms more often than those tests
// allow. WithoutHaste switches this off.
func TestConformanceInOutage(t *testing.T) {
	leavetest.RunVirtual(t, func(t *testing.T) leavetest.Store {
		s := open(t, dead{})
		if !s.Status().Degraded {
			t.Fatal("Degraded: got false, want true")
		}
		return standby.WithoutHaste(s)
	})
}

// dead is a store that cannot be reached.
type dead struct{ leavetest.Store }

var errDead = errors.New("connection refused")

func (dead) Count(context.Context, matrix.UserID) (leave.Counts, error) {
	return leave.Counts{}, errDead
}
func (dead) Close() error { return nil }
