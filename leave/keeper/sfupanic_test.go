package keeper_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/sfu"
)

// faultySFU is an SFU for a keeper. It panics at the first call of one method, whose
// name is in the field call.
type faultySFU struct {
	*world
	call  string
	calls atomic.Int32
}

func (f *faultySFU) panicOnce(call string) {
	if call == f.call && f.calls.Add(1) == 1 {
		panic("a fault in " + call)
	}
}

func (f *faultySFU) CreateRoom(ctx context.Context, room sfu.Room) error {
	f.panicOnce("CreateRoom")
	return f.world.CreateRoom(ctx, room)
}

func (f *faultySFU) Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error) {
	f.panicOnce("Reachable")
	return f.world.Reachable(ctx, room, identity)
}

// TestQuestionsPanic makes a call of the SFU's client panic. A goroutine other than the
// workers makes this call. The panic must end only this call, and the log must show the
// panic. The keeper must repeat the call later.
func TestQuestionsPanic(t *testing.T) {
	for _, call := range []string{"CreateRoom", "Reachable"} {
		t.Run(call, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				var log logtest.Log
				w.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
				f := &faultySFU{world: w, call: call}
				w.sfu = f
				w.again(time.Minute)
				w.join("S1")
				w.delegate("d1", long)
				w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
				time.Sleep(10 * time.Second)
				w.sfuRestart()
				time.Sleep(10 * time.Second)
				w.join("S2")
				time.Sleep(10 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
				if n := f.calls.Load(); n < 2 {
					t.Errorf("%s was called %d times, want another time after the panic", call, n)
				}
				if n := log.Count("a fault in " + call); n != 1 {
					t.Errorf("the log names the panic %d times, want once", n)
				}
			})
		})
	}
}
