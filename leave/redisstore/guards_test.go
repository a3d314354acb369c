//go:build redis

package redisstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/redistest"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// call acts as an SFU with one room. It also acts as the homeserver, which says who is
// joined to the Matrix room. The ticket of a participant is the participant's user id.
type call struct {
	mu      sync.Mutex
	on      map[sfu.Identity]sfu.Participant
	out     map[string]bool // the user ids of the participants who are not joined to the Matrix room
	lists   int
	removed []sfu.Identity
}

const callRoom sfu.Room = "call"

func (c *call) ListRooms(context.Context) ([]sfu.Room, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	return []sfu.Room{callRoom}, nil
}

func (c *call) Participants(context.Context, sfu.Room) (all []sfu.Participant, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.on {
		all = append(all, p)
	}
	return all, nil
}

func (c *call) Remove(_ context.Context, _ sfu.Room, identity sfu.Identity) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removed = append(c.removed, identity)
	delete(c.on, identity)
	return nil
}

func (c *call) Reachable(context.Context, sfu.Room, sfu.Identity) (bool, error) { return true, nil }

func (c *call) IsJoinedNow(_ context.Context, _ matrix.RoomID, user matrix.UserID) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.out[user.String()], nil
}

func (c *call) Forget(matrix.RoomID, matrix.UserID) {}

func (c *call) Open(text string, at ticket.Place) (ticket.Ticket, ticket.Place, error) {
	room, err := matrix.ParseRoomID("!room:example.org")
	if err != nil {
		return ticket.Ticket{}, at, err
	}
	user, err := matrix.ParseUserID(text)
	return ticket.Ticket{Room: room, User: user, Joined: true, Issued: time.Now()}, at, err
}

// enter adds n participants of n different users to the LiveKit room.
func (c *call) enter(n int) {
	for i := range n {
		user := fmt.Sprintf("@user%d:example.org", i)
		c.on[sfu.Identity(user)] = sfu.Participant{Identity: sfu.Identity(user), Session: fmt.Sprint("PA_", i), Since: time.Now(), Ticket: user}
	}
}

func (c *call) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// TestRealReplicas has three replicas with a guard each. A guard removes participants
// who are not joined. Only one guard may check the room. When it sets the brake, which
// stops all removals, each replica must see that.
func TestRealReplicas(t *testing.T) {
	servers(t, func(t *testing.T, _ *redistest.Server, url string) {
		const interval, people = 6 * time.Second, 40
		c := &call{on: map[sfu.Identity]sfu.Participant{}, out: map[string]bool{"@user0:example.org": true}}
		c.enter(people)
		var guards []*guard.Guard
		for i := range 3 {
			board, end, err := redisstore.OpenBoard(t.Context(), redisstore.Options{URL: redisurl.Must(url), Prefix: t.Name()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { end() })
			guards = append(guards, &guard.Guard{
				SFU: c, Members: c, Tickets: c, Board: board, Holder: fmt.Sprint(i), Shared: true,
				Interval: interval, Log: slog.New(slog.DiscardHandler),
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, g := range guards {
			running.Go(func() { g.Run(ctx) })
		}
		defer running.Wait()
		defer cancel()

		await(t, "one is removed", func() bool { return len(c.removed) > 0 }, c)
		c.change(func() {
			if len(c.removed) != 1 || c.removed[0] != "@user0:example.org" || c.lists != 1 {
				t.Errorf("removed %v in %d sweeps, want user0 alone in one", c.removed, c.lists)
			}
			for i := range people {
				c.out[fmt.Sprintf("@user%d:example.org", i)] = true
			}
		})
		for i, g := range guards {
			await(t, fmt.Sprintf("replica %d sees the brake", i), func() bool { return g.Status().Braked }, c)
		}
		for i, g := range guards {
			p := c.on["@user1:example.org"]
			e := sfu.Event{Kind: sfu.KindJoined, Room: callRoom, Identity: p.Identity, Session: p.Session, Since: p.Since, Ticket: p.Ticket}
			if err := g.Report(t.Context(), e); err != nil {
				t.Errorf("Report: got %v, want no error", err)
			}
			await(t, fmt.Sprintf("the brake holds in replica %d", i), func() bool { return g.Status().BrakeHeld > 0 }, c)
		}
		c.change(func() {
			if len(c.removed) != 1 {
				t.Errorf("removed while the brake held: got %v, want one", c.removed)
			}
			clear(c.out)
		})
		for i, g := range guards {
			await(t, fmt.Sprintf("replica %d sees that the brake lifts", i), func() bool { return !g.Status().Braked }, c)
		}
	})
}

func await(t *testing.T, what string, is func() bool, c *call) {
	t.Helper()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(time.Minute); ; <-ticks.C {
		var ok bool
		c.change(func() { ok = is() })
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after a minute: want that %s, got that it does not happen", what)
		}
	}
}
