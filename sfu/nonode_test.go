package sfu_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

var noNodes = sfutest.TwirpError("unknown", "could not find any available nodes")

// wantCreated creates the room "room". It checks how long CreateRoom takes, and how
// many API calls it makes.
func wantCreated(t *testing.T, client *sfu.Client, fake *sfutest.SFU, after time.Duration, calls int) {
	t.Helper()
	start, before := time.Now(), fake.Calls("CreateRoom")
	err := client.CreateRoom(t.Context(), "room")
	if took := time.Since(start); err != nil || took != after {
		t.Errorf("CreateRoom: got %v after %s, want nil after %s", err, took, after)
	}
	if got := fake.Calls("CreateRoom") - before; got != calls {
		t.Errorf("got %d calls of CreateRoom, want %d", got, calls)
	}
}

// TestCreateRoomWaitsForANode checks that CreateRoom tries again after 2 s if
// LiveKit knows no node. LiveKit knows none for a moment after it has started
// or its Redis was emptied.
func TestCreateRoomWaitsForANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key, "a")
		fake.Flush()
		client, _ := inMemory(t, fake)
		wantCreated(t, client, fake, 2*time.Second, 2)
		if rooms := fake.Rooms(); len(rooms) != 1 {
			t.Errorf("got %v, want one room", rooms)
		}
	})
}

// TestCreateRoomLeavesARoomAlone checks that CreateRoom does not create an existing
// room again, even if its node is dead. If it did, LiveKit would move the room to
// another node. A room older than 300 s would end there within a second, unless
// somebody joins it.
func TestCreateRoomLeavesARoomAlone(t *testing.T) {
	for name, dead := range map[string]time.Duration{"just now": 0, "5 s ago": 5 * time.Second, "a day ago": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, fake, _ := onNodes(t)
				time.Sleep(time.Hour)
				fake.Node("a").Kill()
				time.Sleep(dead)
				wantCreated(t, client, fake, 0, 0)
				time.Sleep(5 * time.Second)
				if fake.Join("room", identity) == nil {
					t.Error("Join: got none, want that the room is there still")
				}
			})
		})
	}
}

// TestCreateRoomOnADeadNode checks that CreateRoom succeeds at the second try
// if LiveKit first assigns the room to a node that has just died.
func TestCreateRoomOnADeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key, "a", "b")
		client, _ := inMemory(t, fake)
		if err := client.Ping(t.Context()); err != nil { // leaves an open connection, which CreateRoom then uses
			t.Fatal(err)
		}
		fake.Node("a").Kill()
		wantCreated(t, client, fake, 5*time.Second, 2)
	})
}

func TestCreateRoomWithoutANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailNext(nil, noNodes, noNodes)
		client, _ := inMemory(t, fake)
		start := time.Now()
		wantCause(t, client.CreateRoom(t.Context(), "room"), sfu.CauseNoNode)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s, want 2 s", took)
		}
	})
}

// TestCreateRoomWithoutANodeInTime checks that CreateRoom returns immediately if
// the caller's deadline is before the second try.
func TestCreateRoomWithoutANodeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailNext(nil, noNodes)
		client, _ := inMemory(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		wantCause(t, client.CreateRoom(ctx, "room"), sfu.CauseNoNode)
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s, want no time", took)
		}
	})
}

// TestCreateRoomIsBounded checks that CreateRoom ends after 10 s if LiveKit
// first has no node and then does not answer.
func TestCreateRoomIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailNext(nil, noNodes)
		fake.FailAlways(sfutest.Hang())
		client, _ := inMemory(t, fake)
		start := time.Now()
		wantCause(t, client.CreateRoom(t.Context(), "room"), sfu.CauseTimeout)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s, want 10 s", took)
		}
	})
}
