package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// hanging is a world (test set-up) with many homeservers. Homeservers whose names begin
// with "slow" answer late or not at all.
type hanging struct {
	*world
	answer time.Duration // how long the slow homeservers take for an answer; 0 means that they never answer
}

func (h hanging) Restart(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error {
	if strings.HasPrefix(owner.Server().String(), "slow") {
		if err := h.wait(ctx); err != nil {
			return err
		}
	}
	return h.world.Restart(ctx, owner, id)
}

func (h hanging) wait(ctx context.Context) error {
	var answered <-chan time.Time
	if h.answer > 0 {
		answered = time.After(h.answer)
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return &matrix.DelayError{Result: matrix.ResultFailed, Err: ctx.Err()}
	}
}

func (h hanging) begin(rate float64) {
	h.stop()
	<-h.ended
	h.budget, h.answers = &pace.Budget{Rate: rate}, h
	h.start()
}

// fill makes members of slow homeservers join the call. Each of the given number of
// servers has the given number of members.
func (h hanging) fill(servers, members int, delay time.Duration) {
	h.t.Helper()
	for s := range servers {
		for i := range members {
			h.enter(fmt.Sprintf("@u%d:slow%d.test", i, s), delay)
		}
	}
}

// enter makes a member join the call. It stores the member's job in the state
// connected.
func (h hanging) enter(name string, delay time.Duration) {
	h.t.Helper()
	u, err := matrix.ParseUserID(name)
	if err != nil {
		h.t.Fatal(err)
	}
	k := leave.Key{Room: "other", Identity: sfu.Identity(name)}
	h.set(func() { h.present.add(k, "S"+name) })
	h.schedule(name, delay)
	job := leave.New(k, u, delayID(h.t, name), delay, time.Now()).Joined(time.Now(), "S"+name)
	if _, err := h.store.Put(h.t.Context(), job); err != nil {
		h.t.Fatal(err)
	}
}

// TestHangingHomeservers has homeservers that do not answer. The keeper must still make
// the restarts and sends at another homeserver in time.
func TestHangingHomeservers(t *testing.T) {
	for _, c := range []struct {
		servers, members int
		rate             float64
	}{
		{3, 150, 10}, {1, 300, 100}, {1, 300, 0}, {8, 60, 10}, {200, 2, 10},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := hanging{world: newWorld(t)}
				h.begin(c.rate)
				h.join("S1")
				h.delegate("d1", 18*time.Second)
				h.report(sfu.KindJoined, "S1", sfu.ReasonOther)
				time.Sleep(time.Second)
				h.fill(c.servers, c.members, time.Minute)
				time.Sleep(time.Minute)
				h.wantFate("d1", "", time.Time{}, 0)
				h.vanish()
				left := time.Now()
				h.report(sfu.KindLeft, "S1", sfu.ReasonClear)
				time.Sleep(time.Minute)
				h.wantFate("d1", "sent", left, time.Second)
			})
		})
	}
}

// TestSlowHomeserver has a homeserver that takes seconds for an answer. The keeper must
// use enough workers for all members from this homeserver.
func TestSlowHomeserver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := hanging{world: newWorld(t), answer: 2500 * time.Millisecond}
		const members = 100
		h.begin(10)
		h.fill(1, members, 18*time.Second)
		time.Sleep(2 * time.Minute)
		for i := range members {
			h.wantFate(fmt.Sprintf("@u%d:slow0.test", i), "", time.Time{}, 0)
		}
	})
}
