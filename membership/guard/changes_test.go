package guard_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/sfu"
)

// slowSFU takes some time to list participants.
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

// TestJoinedAgainMeanwhile checks a person who joins the Matrix room again
// after the guard has asked whether the person is joined. The answer "no" may
// then be outdated, so the guard must not remove the person. The guard must ask
// again, because of the event that reports the join.
func TestJoinedAgainMeanwhile(t *testing.T) {
	for _, by := range []string{"push", "sweep"} {
		t.Run(by, func(t *testing.T) {
			slow := &slowSFU{}
			in(t, func(w *world, g *guard.Guard) {
				w.setJoined(alice, true)
				w.report(g, w.enter(alice))
				synctest.Wait()
				time.Sleep(10 * time.Second) // until the first sweep has ended
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
