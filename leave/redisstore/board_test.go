package redisstore_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/membership/guard"
)

var _ guard.Board = redisstore.Board{}

// TestBoard checks that the guards of two replicas with the same Redis share their
// state, the board.
func TestBoard(t *testing.T) {
	server := miniredis.RunT(t)
	var boards []redisstore.Board
	for range 2 {
		s, err := redisstore.Open(t.Context(), options(server, slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		boards = append(boards, s.Board())
	}
	take := func(i int, holder string, want bool) {
		t.Helper()
		if got, err := boards[i].TakeSweep(t.Context(), holder, time.Minute); got != want || err != nil {
			t.Errorf("TakeSweep(%s): got %v, %v, want %v", holder, got, err, want)
		}
	}
	take(0, "one", true)
	take(1, "two", false)
	server.FastForward(40 * time.Second)
	take(0, "one", true)
	server.FastForward(40 * time.Second)
	take(1, "two", false)
	server.FastForward(30 * time.Second)
	take(1, "two", true)
	take(0, "one", false)

	brake := func(want bool) {
		t.Helper()
		for i, b := range boards {
			if got, err := b.Brake(t.Context()); got != want || err != nil {
				t.Errorf("Brake in replica %d: got %v, %v, want %v", i, got, err, want)
			}
		}
	}
	set := func(on bool) {
		t.Helper()
		if err := boards[0].SetBrake(t.Context(), on); err != nil {
			t.Errorf("SetBrake: got %v, want no error", err)
		}
	}
	brake(false)
	set(true)
	brake(true)
	set(false)
	brake(false)
	set(true)
	server.FastForward(time.Hour + time.Second)
	brake(false)

	server.SetError("LOADING")
	if _, err := boards[0].Brake(t.Context()); err == nil {
		t.Error("Brake of a server that does not answer: got no error, want one")
	}
	if _, err := boards[0].TakeSweep(t.Context(), "one", time.Minute); err == nil {
		t.Error("TakeSweep at a server that does not answer: got no error, want one")
	}
}
