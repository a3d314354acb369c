package filestore_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/leave/filestore"
	"matrixrtc-auth/leave/leavetest"
)

func TestConformance(t *testing.T) {
	leavetest.Run(t, func(t *testing.T) leavetest.Store {
		s, err := filestore.Open(t.Context(), filepath.Join(t.TempDir(), "leaves.db"), clock.New(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
