package guard_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/sfu"
)

// slowSFU takes a while to list participants.
type slowSFU struct {
	*world
	takes time.Duration
}

func (s *slowSFU) Participants(ctx context.Context, room sfu.Room) ([]sfu.Participant, error) {
	s.mu.Lock()
	takes := s.takes
	s.mu.Unlock()
	time.Sleep(takes)
	return s.world.Participants(ctx, room)
}

// TestJoinedAgainMeanwhile: an event that came after the question says that its no
// may be old. Whoever has joined again meanwhile is not removed by it: the event's
// own question decides.
func TestJoinedAgainMeanwhile(t *testing.T) {
	for _, by := range []string{"push", "sweep"} {
		t.Run(by, func(t *testing.T) {
			slow := &slowSFU{}
			in(t, func(w *world, g *guard.Guard) {
				w.setJoined(alice, true)
				w.report(g, w.enter(alice))
				synctest.Wait()
				time.Sleep(10 * time.Second) // behind the first sweep
				w.setJoined(alice, false)
				w.change(func() { slow.takes, w.asked = 2*time.Second, nil })
				questions := 2
				if by == "push" {
					questions = 1
					g.Changed(alice.room, alice.user)
				}
				for len(w.questions()) < questions {
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(100 * time.Millisecond)
				w.setJoined(alice, true)
				g.Changed(alice.room, alice.user)
				time.Sleep(40 * time.Second)
				w.wantOn(alice, true)
			}, func(g *guard.Guard) {
				slow.world = g.SFU.(*world)
				g.SFU = slow
			})
		})
	}
}
