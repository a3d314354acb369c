//go:build redis

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
)

// asker sends requests to the nodes' Room API, about Alice in the room "call".
type asker struct {
	livekitNodes
	t  *testing.T
	on string // the id of the node on which CreateRoom must create the room; "" for any node
}

// ask calls a method of a node's Room API, and returns the answer in a short form.
func (a asker) ask(node int, method string) string {
	a.t.Helper()
	api := livekit.NewRoomServiceJSONClient(a.api(node), http.DefaultClient)
	ctx, err := twirp.WithHTTPRequestHeaders(within(a.t, 20*time.Second), http.Header{"Authorization": {"Bearer " + operator(a.t, key, "call")}})
	if err != nil {
		a.t.Fatal(err)
	}
	alice := &livekit.RoomParticipantIdentity{Room: "call", Identity: "alice"}
	text := "{}"
	switch method {
	case "CreateRoom":
		_, err = api.CreateRoom(ctx, &livekit.CreateRoomRequest{Name: "call", EmptyTimeout: 4, DepartureTimeout: 2, NodeId: a.on})
	case "ListRooms":
		var rooms *livekit.ListRoomsResponse
		rooms, err = api.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{"call"}})
		text = fmt.Sprint(len(rooms.GetRooms()), " rooms")
	case "GetParticipant":
		var p *livekit.ParticipantInfo
		p, err = api.GetParticipant(ctx, alice)
		text = p.GetState().String()
	case "RemoveParticipant":
		_, err = api.RemoveParticipant(ctx, alice)
	case "UpdateSubscriptions":
		_, err = api.UpdateSubscriptions(ctx, &livekit.UpdateSubscriptionsRequest{Room: "call", Identity: "alice"})
	default:
		a.t.Fatal(method)
	}
	if twerr, ok := err.(twirp.Error); ok {
		return fmt.Sprint(twerr.Code(), ": ", twerr.Msg())
	} else if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// want checks the answer to a method. If the expected answer is that no node responded,
// LiveKit must give this answer only after 3 s. Other answers have no time limit here,
// because the machine may be busy.
func (a asker) want(node int, method, want string) {
	a.t.Helper()
	start := time.Now()
	got := a.ask(node, method)
	took := time.Since(start)
	if !strings.Contains(got, want) || want == noResponse && took < 2900*time.Millisecond {
		a.t.Errorf("%s of node %d: got %q after %v, want %q", method, node, got, took.Round(time.Millisecond), want)
	}
}

const (
	absent     = "not_found: twirp error unknown: participant does not exist"
	noResponse = "unavailable: twirp error unknown: no response from servers"
	noNode     = "unknown: could not find any available nodes"
)

// nodeMemory is how long other nodes regard a node as available after its last report.
// reportTime is the time between two reports of a node.
const (
	nodeMemory = 5 * time.Second
	reportTime = 2 * time.Second
)

// nodeFacts are facts about LiveKit on which this project relies. They must hold for
// real nodes, and for the fake nodes in other tests. Each function starts with Alice in
// a room on node 0.
var nodeFacts = map[string]func(asker){
	"living": func(a asker) {
		for node := range 2 {
			a.want(node, "GetParticipant", "ACTIVE")
			a.want(node, "UpdateSubscriptions", "{}")
			a.want(node, "ListRooms", "1 rooms")
		}
		a.want(1, "RemoveParticipant", "{}")
		a.want(1, "GetParticipant", absent)
		a.want(1, "RemoveParticipant", absent)
		a.want(1, "UpdateSubscriptions", noResponse)
	},
	"killed": func(a asker) {
		a.vanish("alice")
		a.kill(0)
		a.want(1, "CreateRoom", noResponse)
		a.want(1, "GetParticipant", "ACTIVE")
		a.want(1, "UpdateSubscriptions", noResponse)
		a.want(1, "RemoveParticipant", noResponse)
		a.want(1, "ListRooms", "1 rooms")
		a.join("bob") // the room moves to another node, and keeps its records in Redis
		a.want(1, "GetParticipant", "ACTIVE")
		a.want(1, "UpdateSubscriptions", noResponse)
		a.join("alice")
		a.want(1, "UpdateSubscriptions", "{}")
	},
	"killed, and the room made again": func(a asker) {
		a.vanish("alice")
		a.kill(0)
		time.Sleep(nodeMemory + time.Second)
		a.want(1, "CreateRoom", "{}")
		time.Sleep(2 * time.Second) // long enough for the node to close the empty room
		a.want(1, "ListRooms", "0 rooms")
		a.want(1, "GetParticipant", absent)
		a.want(1, "CreateRoom", "{}")
		time.Sleep(2 * time.Second)
		a.want(1, "ListRooms", "1 rooms")
	},
	"stopped": func(a asker) {
		a.vanish("alice")
		a.stop(0)
		a.want(1, "GetParticipant", absent)
		a.want(1, "ListRooms", "0 rooms")
		a.want(1, "CreateRoom", "{}")
		a.want(1, "ListRooms", "1 rooms")
	},
	"restarted": func(a asker) {
		a.vanish("alice")
		a.kill(0)
		a.start(0)
		for node := range 2 {
			a.want(node, "GetParticipant", "ACTIVE")
			a.want(node, "UpdateSubscriptions", noResponse)
		}
		a.join("alice")
		a.want(1, "UpdateSubscriptions", "{}")
	},
	"cut off": func(a asker) {
		a.cut(0)
		a.want(1, "GetParticipant", "ACTIVE")
		a.want(1, "UpdateSubscriptions", noResponse)
		a.heal(0)
		time.Sleep(time.Second)
		a.want(1, "UpdateSubscriptions", "{}")
	},
	"Redis emptied": func(a asker) {
		a.flush()
		a.want(1, "GetParticipant", absent)
		a.want(1, "ListRooms", "0 rooms")
		a.want(1, "UpdateSubscriptions", "{}")
		a.want(1, "CreateRoom", noNode)
	},
	"Redis emptied, and the room made by its own node": func(a asker) {
		a.flush()
		time.Sleep(reportTime + time.Second)
		a.on = a.place(0)
		a.want(1, "CreateRoom", "{}") // the node runs the room, but writes no record of it
		a.want(1, "ListRooms", "0 rooms")
		a.want(1, "GetParticipant", absent)
		a.want(1, "UpdateSubscriptions", "{}")
	},
	"Redis emptied, and the room made by another node": func(a asker) {
		a.flush()
		time.Sleep(reportTime + time.Second)
		a.on = a.place(1)
		a.want(1, "CreateRoom", "{}")
		a.want(1, "ListRooms", "1 rooms")
		a.want(1, "GetParticipant", absent)
		a.want(1, "UpdateSubscriptions", "{}")
	},
	"Redis of an old file": func(a asker) {
		a.join("bob") // keeps the room open without Alice
		a.save()
		a.want(1, "RemoveParticipant", "{}")
		a.want(1, "GetParticipant", absent)
		a.restore()
		time.Sleep(reportTime + time.Second)
		a.want(1, "GetParticipant", "ACTIVE")
		a.want(1, "UpdateSubscriptions", noResponse)
		a.want(1, "RemoveParticipant", noResponse)
	},
	"Redis of an old file, without who has come since": func(a asker) {
		a.want(1, "RemoveParticipant", "{}")
		a.save()
		a.join("alice")
		a.restore()
		time.Sleep(reportTime + time.Second)
		a.want(1, "GetParticipant", absent)
		a.want(1, "UpdateSubscriptions", "{}")
	},
	"joined anew while its node was cut off": func(a asker) {
		a.cut(0)
		time.Sleep(nodeMemory + time.Second)
		a.vanish("alice") // only node 0 can notice that Alice is gone
		a.join("alice")
		a.want(1, "UpdateSubscriptions", "{}")
		a.heal(0)
		time.Sleep(time.Second)
		a.want(1, "UpdateSubscriptions", "{}")
	},
}

func TestNodeFacts(t *testing.T) {
	t.Parallel()
	for kind, start := range map[string]func(*testing.T) livekitNodes{"real": newRealNodes, "fake": newFakeNodes} {
		for name, check := range nodeFacts {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				a := asker{livekitNodes: start(t), t: t}
				a.want(1, "CreateRoom", "{}")
				a.join("alice")
				// This time is longer than an empty room stays open. It is also longer
				// than LiveKit takes to record that a participant has joined.
				time.Sleep(6 * time.Second)
				check(a)
			})
		}
	}
}
