//go:build redis

package e2e

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// livekitNodes are two LiveKit nodes with one Redis. They are either real, or the fake
// ones of package sfutest. Node 0 has the room of the test.
type livekitNodes interface {
	api(node int) string // returns the URL of the node's Room API
	// place chooses the node on which a new room is created. If the caller must name
	// the node in CreateRoom, place returns the node's id.
	place(node int) (id string)
	join(identity string)
	vanish(identity string) // ends the client, which does not tell the SFU
	kill(node int)
	start(node int)
	stop(node int) // drains the node, and then ends it
	cut(node int)  // cuts the connection from the node to Redis
	heal(node int)
	flush()
	save()
	restore() // gives Redis the files that save kept
}

// realNodes are nodes of a real LiveKit, each in its own process.
type realNodes struct {
	*cluster
	first   int // the cluster's index for the node that livekitNodes calls node 0
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
		url = r.nodes[r.node(1)].URL() // a node that is neither dead nor cut off
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

func (r *realNodes) kill(node int) { r.nodes[r.node(node)].Kill() }

func (r *realNodes) cut(node int) { r.lines[r.node(node)].Cut() }

func (r *realNodes) heal(node int) { r.lines[r.node(node)].Restore() }

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

// fakeNodes are the nodes of the fake LiveKit in package sfutest.
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

func (f *fakeNodes) api(int) string { return f.APIURL().String() }

func (f *fakeNodes) place(node int) string { f.node(node).Prefer(); return "" }

func (f *fakeNodes) join(identity string) { f.Join("call", sfu.Identity(identity)) }

func (f *fakeNodes) vanish(identity string) {} // nothing to do, because no test waits the 19 s in which a node would notice

func (f *fakeNodes) kill(node int) { f.node(node).Kill() }

func (f *fakeNodes) start(node int) { f.node(node).Start() }

func (f *fakeNodes) stop(node int) { f.node(node).Drain(); f.node(node).Stop() }

func (f *fakeNodes) cut(node int) { f.node(node).Partition() }

func (f *fakeNodes) heal(node int) { f.node(node).Heal() }

func (f *fakeNodes) flush() { f.Flush() }

func (f *fakeNodes) save() { f.saved = f.Dump() }

func (f *fakeNodes) restore() { f.Restore(f.saved) }
