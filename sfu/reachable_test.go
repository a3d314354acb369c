package sfu_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// onNodes starts a fake SFU that has two nodes with one Redis. The participant
// with the test's identity is in the room "room" on the first node.
func onNodes(t *testing.T) (*sfu.Client, *sfutest.SFU, *memory) {
	t.Helper()
	fake := sfutest.New(key, "a", "b")
	client, network := inMemory(t, fake)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	if fake.Join("room", identity) == nil {
		t.Fatal("Join: got none, want an event")
	}
	return client, fake, network
}

func wantReachable(t *testing.T, client *sfu.Client, want bool, after time.Duration) {
	t.Helper()
	start := time.Now()
	got, err := client.Reachable(t.Context(), "room", identity)
	if took := time.Since(start); got != want || err != nil || took != after {
		t.Errorf("Reachable: got %t, %v after %s, want %t after %s", got, err, took, want, after)
	}
}

func TestReachable(t *testing.T) {
	for _, c := range []struct {
		name     string
		lose     func(*sfutest.SFU)
		recorded bool
		want     bool
	}{
		{"living", func(*sfutest.SFU) {}, true, true},
		{"gone", func(s *sfutest.SFU) { s.Vanish("room", identity) }, false, false},
		{"room gone", func(s *sfutest.SFU) { s.CloseRoom("room") }, false, false},
		{"node killed", func(s *sfutest.SFU) { s.Node("a").Kill() }, true, false},
		{"node cut off", func(s *sfutest.SFU) { s.Node("a").Partition() }, true, false},
		{"node restarted", func(s *sfutest.SFU) { s.Node("a").Kill(); s.Node("a").Start() }, true, false},
		{"Redis emptied", (*sfutest.SFU).Flush, false, true},
		{"other node killed", func(s *sfutest.SFU) { s.Node("b").Kill() }, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, fake, network := onNodes(t)
				c.lose(fake)
				session, err := client.Session(t.Context(), "room", identity)
				if recorded := session != ""; recorded != c.recorded || err != nil {
					t.Errorf("Session: got %q, %v, want a session: %t", session, err, c.recorded)
				}
				took := 3 * time.Second
				if c.want {
					took = 0
				}
				wantReachable(t, client, c.want, took)
				if calls, dials := fake.Calls("UpdateSubscriptions"), network.dials.Load(); calls != 1 || dials != 1 {
					t.Errorf("got %d calls on %d connections, want one", calls, dials)
				}
				if rooms := fake.Calls("CreateRoom"); rooms != 1 {
					t.Errorf("got %d calls of CreateRoom, want that of the beginning", rooms)
				}
			})
		})
	}
}

// TestReachableTakesItsTime checks that a node that answers slowly counts as
// reachable.
func TestReachableTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake, _ := onNodes(t)
		fake.FailNext(sfutest.Delay(4900 * time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if got, err := client.Reachable(ctx, "room", identity); !got || err != nil {
			t.Errorf("got %t, %v, want true", got, err)
		}
		fake.FailNext(sfutest.TwirpError("not_found", "participant does not exist"))
		got, err := client.Reachable(ctx, "room", identity)
		wantFailure(t, err, "UpdateSubscriptions", sfu.CauseStatus)
		if got {
			t.Error("got true beside an error, want false")
		}
	})
}
