//go:build redis

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// livekitNodes are two nodes with one Redis, real or sfutest's. The one that
// hosts the room is node 0.
type livekitNodes interface {
	api(node int) string // URL
	// place has the room be made on a node when it is on none. It returns the
	// node's id, if that has to be said.
	place(node int) (id string)
	join(identity string)
	vanish(identity string) // without a word to the SFU
	kill(node int)
	start(node int)
	stop(node int) // drains it, and then ends it in good order
	cut(node int)  // from Redis
	heal(node int)
	flush()
	save()
	restore() // what was saved
}

// realNodes has processes.
type realNodes struct {
	*cluster
	first   int // which of the cluster's nodes is node 0
	clients map[string]*stack.Client
}

func newRealNodes(t *testing.T) livekitNodes {
	host := newHost(t)
	return &realNodes{cluster: newCluster(t, host, ""), clients: map[string]*stack.Client{}}
}

func (r *realNodes) node(i int) int { return (r.first + i) % 2 }

func (r *realNodes) api(node int) string { return r.nodes[r.node(node)].APIURL() }

func (r *realNodes) place(node int) string {
	r.t.Helper()
	id := regexp.MustCompile(`starting LiveKit server.*"nodeID": "(\w+)"`).FindStringSubmatch(r.nodes[r.node(node)].Log().String())
	if id == nil {
		r.t.Fatal("the node does not say its id")
	}
	return id[1]
}

func (r *realNodes) join(identity string) {
	r.t.Helper()
	c := &stack.Client{Host: r.host, Program: programs.Join, Name: fmt.Sprint(identity, len(r.clients))}
	token := mint(r.t, key, identity, &auth.VideoGrant{RoomJoin: true, Room: "call"})
	url := r.URL()
	if len(r.clients) > 0 {
		url = r.nodes[r.node(1)].URL() // node 0 may be dead or cut off
	}
	if _, err := c.Start(within(r.t, 20*time.Second), url, token); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Kill)
	if len(r.clients) == 0 {
		r.first = r.hosts("call")
	}
	r.clients[identity] = c
}

func (r *realNodes) vanish(identity string) { r.clients[identity].Kill() }
func (r *realNodes) kill(node int)          { r.nodes[r.node(node)].Kill() }
func (r *realNodes) cut(node int)           { r.lines[r.node(node)].Cut() }
func (r *realNodes) heal(node int)          { r.lines[r.node(node)].Restore() }

func (r *realNodes) start(node int) {
	r.t.Helper()
	if err := r.nodes[r.node(node)].Start(within(r.t, 20*time.Second)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *realNodes) stop(node int) {
	r.t.Helper()
	if err := r.nodes[r.node(node)].Stop(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *realNodes) flush() {
	r.t.Helper()
	if err := r.redis.Flush(within(r.t, 5*time.Second)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *realNodes) save() {
	r.t.Helper()
	if err := r.redis.Save("saved"); err != nil {
		r.t.Fatal(err)
	}
}

func (r *realNodes) restore() {
	r.t.Helper()
	err := r.redis.Stop()
	if err == nil {
		err = r.redis.Restore("saved")
	}
	if err == nil {
		err = r.redis.Start(within(r.t, 10*time.Second))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// fakeNodes are what the tests of the service have.
type fakeNodes struct {
	*sfutest.Server
	saved sfutest.Dump
}

func newFakeNodes(t *testing.T) livekitNodes {
	server := sfutest.NewServer(sfu.Key{ID: key.ID, Secret: secret.New(key.Secret)}, "0", "1")
	t.Cleanup(server.Close)
	server.Node("0").Prefer()
	return &fakeNodes{Server: server}
}

func (f *fakeNodes) node(i int) *sfutest.Node { return f.Node(fmt.Sprint(i)) }

func (f *fakeNodes) api(int) string         { return f.APIURL().String() }
func (f *fakeNodes) place(node int) string  { f.node(node).Prefer(); return "" }
func (f *fakeNodes) join(identity string)   { f.Join("call", sfu.Identity(identity)) }
func (f *fakeNodes) vanish(identity string) {} // the node notices after 19 s
func (f *fakeNodes) kill(node int)          { f.node(node).Kill() }
func (f *fakeNodes) start(node int)         { f.node(node).Start() }
func (f *fakeNodes) stop(node int)          { f.node(node).Drain(); f.node(node).Stop() }
func (f *fakeNodes) cut(node int)           { f.node(node).Partition() }
func (f *fakeNodes) heal(node int)          { f.node(node).Heal() }
func (f *fakeNodes) flush()                 { f.Flush() }
func (f *fakeNodes) save()                  { f.saved = f.Dump() }
func (f *fakeNodes) restore()               { f.Restore(f.saved) }

// asker asks about Alice in the room "call".
type asker struct {
	livekitNodes
	t  *testing.T
	on string // the node's id on which CreateRoom asks for the room
}

// ask returns the answer to a method of a node's API in short.
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

// want checks an answer. That no node answers is known after 3 s; a busy machine
// takes its time for the others, too.
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

// nodeMemory is how long after its last word a node is taken for available, and
// reportTime how often it says that it is there.
const (
	nodeMemory = 5 * time.Second
	reportTime = 2 * time.Second
)

// nodeFacts are what this project relies on, of LiveKit and of the fake that
// stands for it in the tests of everything else. Each begins with Alice in a
// room on node 0.
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
		a.join("bob") // the room moves, with all records
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
		time.Sleep(2 * time.Second) // it is older than its empty timeout
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
		a.want(1, "CreateRoom", "{}") // it runs it, and writes nothing
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
		a.join("bob") // the room goes on
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
		a.vanish("alice") // which only node 0 can notice
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
				// Longer than the room's empty timeout, and than LiveKit takes to
				// write that somebody has joined the room.
				time.Sleep(6 * time.Second)
				check(a)
			})
		}
	}
}
