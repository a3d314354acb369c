package keeper_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// faulty is a world (test set-up) that makes the keeper panic when it restarts the
// leave with this id.
type faulty struct {
	*world
	id    string
	cured atomic.Bool
	tries atomic.Int32
}

func (f *faulty) Restart(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error {
	if id.String() == f.id && !f.cured.Load() {
		f.tries.Add(1)
		panic("restarts cannot be -7")
	}
	return f.world.Restart(ctx, owner, id)
}

// TestWorkerPanics checks that a panic in a worker ends only one action, not the
// process. The keeper must try the job again, but only after a pause.
func TestWorkerPanics(t *testing.T) {
	for _, delay := range []time.Duration{500 * time.Millisecond, 18 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				f := &faulty{world: w, id: "bad"}
				w.answers = f
				log := w.logs(slog.LevelError)
				w.join("S1")
				w.delegate("d1", 18*time.Second)
				w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
				w.schedule("bad", delay)
				other := leave.New(leave.Key{Room: "other", Identity: "bob"}, user(t), delayID(t, "bad"), delay, w.clock.Now())
				if err := w.current().Delegate(t.Context(), other, many); err != nil {
					t.Fatal(err)
				}
				w.set(func() { w.present.add(other.Key, "S2") })
				time.Sleep(10 * time.Second)
				if tries := f.tries.Load(); tries < 2 || tries > 11 {
					t.Errorf("got %d tries in 10 s, want 2 to 11", tries)
				}
				f.cured.Store(true)
				time.Sleep(5 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
				if delay > 10*time.Second {
					w.wantFate("bad", "", time.Time{}, 0)
				}
				w.stop()
				<-w.ended
				text := log.String()
				for _, want := range []string{"room=other", "identity=bob", `panic="restarts cannot be -7"`, "panic_test.go"} {
					if !strings.Contains(text, want) {
						t.Errorf("log: want %s in it, got\n%s", want, text)
					}
				}
				if lines := strings.Count(text, "\n"); lines > 11 {
					t.Errorf("log: got %d lines, want at most 11", lines)
				}
			})
		})
	}
}

// TestPatrolPanics makes the keeper panic each time it asks who is in a room. The keeper
// must go on, and later send the leave. The log must show the panic and the room.
func TestPatrolPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		log := w.logs(slog.LevelError)
		w.set(func() {
			w.fault = func(call string, _ sfu.Room) error {
				if call == "Sessions" {
					panic("no sessions")
				}
				return nil
			}
		})
		time.Sleep(2 * time.Minute)
		w.set(func() { w.fault = nil })
		w.vanish() // the service gets no webhook about this
		left := time.Now()
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "sent", left, 80*time.Second)
		w.stop()
		<-w.ended
		if text := log.String(); !strings.Contains(text, `panic="no sessions"`) || !strings.Contains(text, "room=room") {
			t.Errorf("log: got %s, want the panic and the room in it", text)
		}
	})
}
