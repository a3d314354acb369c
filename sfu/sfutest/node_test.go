package sfutest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu/sfutest"
)

// direct sends requests to an http.Handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, req)
	return answer.Result(), nil
}

// cluster is a fake SFU with two nodes. alice is in the room "call" on the
// first node.
type cluster struct {
	*sfutest.SFU
	a, b *sfutest.Node
	t    *testing.T
}

func inCluster(t *testing.T, do func(cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := sfutest.New(key, "a", "b")
		c := cluster{s, s.Node("a"), s.Node("b"), t}
		c.a.Prefer()
		c.want("CreateRoom", "200", 0)
		c.join()
		time.Sleep(time.Hour)
		do(c)
	})
}

// ask calls a method of the API about alice. It returns the answer in a short
// form, and how many seconds the answer took.
func (c cluster) ask(method string) (answer string, seconds float64) {
	c.t.Helper()
	api := livekit.NewRoomServiceJSONClient("http://sfu", &http.Client{Transport: direct{c.SFU}})
	ctx := signed(c.t, auth.VideoGrant{RoomAdmin: true, RoomCreate: true, RoomList: true, Room: "call"})
	start := time.Now()
	var err error
	switch method {
	case "CreateRoom":
		_, err = api.CreateRoom(ctx, &livekit.CreateRoomRequest{Name: "call"})
	case "GetParticipant":
		_, err = api.GetParticipant(ctx, &livekit.RoomParticipantIdentity{Room: "call", Identity: "alice"})
	case "RemoveParticipant":
		_, err = api.RemoveParticipant(ctx, &livekit.RoomParticipantIdentity{Room: "call", Identity: "alice"})
	case "UpdateSubscriptions":
		_, err = api.UpdateSubscriptions(ctx, &livekit.UpdateSubscriptionsRequest{Room: "call", Identity: "alice"})
	default:
		c.t.Fatal(method)
	}
	if err != nil {
		return err.Error(), time.Since(start).Seconds()
	}
	return "200", time.Since(start).Seconds()
}

func (c cluster) want(method, want string, seconds float64) {
	c.t.Helper()
	if got, took := c.ask(method); !strings.Contains(got, want) || took != seconds {
		c.t.Errorf("%s: got %q after %v s, want %q after %v s", method, got, took, want, seconds)
	}
}

// join lets alice join the room "call".
func (c cluster) join() *livekit.WebhookEvent {
	c.t.Helper()
	event := c.Join("call", "alice")
	if event == nil {
		c.t.Fatal("alice cannot join")
	}
	return event
}

// wantState checks three facts: whether the records have alice, whether her
// node answers for her, and whether she really has a session.
func (c cluster) wantState(record, reachable, live bool) {
	c.t.Helper()
	got, _ := c.ask("GetParticipant")
	answered, _ := c.ask("UpdateSubscriptions")
	state := fmt.Sprint(got == "200", answered == "200", c.Live("call", "alice") != "")
	if want := fmt.Sprint(record, reachable, live); state != want {
		c.t.Errorf("recorded, reachable, live: got %s, want %s", state, want)
	}
}

func TestLivingNode(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.wantState(true, true, true)
		c.want("RemoveParticipant", "200", 0)
		c.wantState(false, false, false)
		c.want("RemoveParticipant", "participant does not exist", 0)
		c.want("UpdateSubscriptions", "no response from servers", 3)
	})
}

func TestNodeKilled(t *testing.T) {
	inCluster(t, func(c cluster) {
		made := c.Rooms()[0].Created
		c.a.Kill()
		c.want("CreateRoom", "no response from servers", 3)
		if c.Join("call", "alice") != nil {
			t.Error("3 s after the death of the node: got a client joined, want none")
		}
		c.wantState(true, false, false)
		c.want("RemoveParticipant", "no response from servers", 3)
		c.want("CreateRoom", "200", 0) // the room moves to the other node
		if now := c.Rooms()[0].Created; now != made {
			t.Errorf("time at which the room was made: got %s, want %s", now, made)
		}
		c.join()
		c.wantState(true, true, true)
	})
}

// TestOldRoomMoved checks a room that is older than its empty timeout and moves
// to another node. If nobody joins within a second, the room and its records
// must end.
func TestOldRoomMoved(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Kill()
		time.Sleep(5 * time.Second)
		c.want("CreateRoom", "200", 0)
		time.Sleep(time.Second - time.Nanosecond)
		if rooms := c.Rooms(); len(rooms) != 1 {
			t.Errorf("got %v, want one room", rooms)
		}
		time.Sleep(time.Nanosecond)
		if rooms := c.Rooms(); len(rooms) != 0 {
			t.Errorf("got %v, want none", rooms)
		}
		c.wantState(false, false, false)
		c.want("CreateRoom", "200", 0)
		time.Sleep(time.Minute)
		c.join()
	})
}

// TestStaleRecordsEndWithTheRoom checks that the records of a dead node stay until
// the room ends.
func TestStaleRecordsEndWithTheRoom(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Kill()
		time.Sleep(time.Hour)
		c.wantState(true, false, false)
		c.Join("call", "bob")
		c.Vanish("call", "bob")
		time.Sleep(20 * time.Second)
		c.wantState(false, false, false)
	})
}

func TestNodeDrained(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Drain()
		c.join() // a draining node keeps its rooms
		c.wantState(true, true, true)
		reports := c.a.Stop()
		if len(reports) != 1 || reports[0].Event != "participant_left" ||
			reports[0].Participant.DisconnectReason != livekit.DisconnectReason_SERVER_SHUTDOWN {
			t.Errorf("got %v, want one participant_left", reports)
		}
		c.wantState(false, false, false)
		if c.Join("call", "alice") != nil {
			t.Error("Join after the node has stopped: got a participant, want no room")
		}
		c.want("CreateRoom", "200", 0)
		c.join()
		c.wantState(true, true, true)
	})
}

func TestNodePartitioned(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Partition()
		c.wantState(true, false, true)
		c.want("CreateRoom", "no response from servers", 3)
		c.a.Heal()
		c.wantState(true, true, true)
	})
}

// TestRoomOnTwoNodes checks a room that runs on two nodes. Each node must
// delete the records in Redis that the other node has written.
func TestRoomOnTwoNodes(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Partition()
		time.Sleep(5 * time.Second)
		second := c.join()
		c.wantState(true, true, true)
		c.a.Heal()
		if left := c.a.Leave("call", "alice", livekit.DisconnectReason_SIGNAL_CLOSE); left == nil || left.Participant.Sid == second.Participant.Sid {
			t.Errorf("got %v, want the end of the first session", left)
		}
		c.wantState(false, true, true)
		time.Sleep(20 * time.Second)
		if rooms := c.Rooms(); len(rooms) != 0 {
			t.Errorf("got %v, want no record of the room", rooms)
		}
		c.wantState(false, true, true)
		c.b.Kill()
		c.wantState(false, false, false)
	})
}

func TestNodeRestarted(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Kill()
		c.a.Start()
		c.wantState(true, false, false)
		c.want("CreateRoom", "200", 0)
		c.join()
		c.wantState(true, true, true)
	})
}

func TestRedisEmptied(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.Flush()
		c.wantState(false, true, true)
		c.want("CreateRoom", "could not find any available nodes", 0)
		time.Sleep(2 * time.Second)
		c.want("CreateRoom", "200", 0) // the node that runs the room answers, but writes no record
		if rooms := c.Rooms(); len(rooms) != 0 || c.Join("call", "alice") != nil {
			t.Errorf("got rooms %v, want none", rooms)
		}
		c.wantState(false, true, true)
		c.Change("call", "alice")
		c.wantState(true, true, true)
	})
}

// TestRedisEmptiedAndRoomMadeElsewhere checks that another node can create a
// room a second time after Redis has lost the room's record.
func TestRedisEmptiedAndRoomMadeElsewhere(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.Flush()
		time.Sleep(2 * time.Second)
		c.b.Prefer()
		c.want("CreateRoom", "200", 0)
		c.wantState(false, true, true)
		if since := time.Since(c.Rooms()[0].Created); since != 0 {
			t.Errorf("the room was made %s ago, want now", since)
		}
	})
}

func TestRedisFromAnOldFile(t *testing.T) {
	inCluster(t, func(c cluster) {
		file := c.Dump()
		c.Vanish("call", "alice")
		c.wantState(false, false, false)
		c.Restore(file)
		c.wantState(true, false, false)
	})
}

func TestNoNode(t *testing.T) {
	inCluster(t, func(c cluster) {
		c.a.Partition()
		c.b.Partition()
		c.want("CreateRoom", "redis", 0)
		c.a.Kill()
		c.b.Kill()
		c.b.Heal()
		func() {
			defer func() {
				if recover() != http.ErrAbortHandler {
					t.Error("a request without a node: got an answer, want none")
				}
			}()
			c.ask("CreateRoom")
		}()
	})
}
