//go:build redis

package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// cluster is a LiveKit of two nodes that share one Redis. A balancer is in front of the
// nodes.
type cluster struct {
	t        *testing.T
	host     *stack.Host
	redis    *stack.Redis
	nodes    []*stack.SFU
	lines    []*stack.TCPRelay // the relays through which the nodes reach Redis, one for each node
	balancer *stack.Balancer
}

// newCluster starts the nodes. They send webhooks to the given URL. If the URL is
// empty, they send no webhooks.
func newCluster(t *testing.T, host *stack.Host, webhook string) *cluster {
	t.Helper()
	c := &cluster{t: t, host: host, balancer: &stack.Balancer{Host: host}}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	c.redis = &stack.Redis{Host: host, Program: program, Name: "livekit-redis"}
	startPart(t, "Redis of LiveKit", c.redis)
	for i := range 2 {
		c.startNode(i, webhook)
	}
	if err := c.balancer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.balancer.Stop)
	return c
}

func (c *cluster) startNode(i int, webhook string) {
	c.t.Helper()
	redis, err := c.redis.Address()
	if err != nil {
		c.t.Fatal(err)
	}
	line := &stack.TCPRelay{Host: c.host, Target: redis}
	if err := line.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(line.Stop)
	node := &stack.SFU{
		Host: c.host, Program: programs.SFU, Name: fmt.Sprint("sfu-", i+1), Config: example,
		Keys: []stack.Key{key}, Webhook: webhook, Redis: line.Address(),
	}
	if err := node.Start(within(c.t, 20*time.Second)); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = node.Stop() // the test may have killed the node already
		if c.t.Failed() {
			c.t.Logf("%s log:\n%s", node.Name, node.Log().Tail(30))
		}
	})
	address, err := node.Address()
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes, c.lines = append(c.nodes, node), append(c.lines, line)
	c.balancer.Targets = append(c.balancer.Targets, address)
}

// URL returns the URL at which clients connect to the cluster.
func (c *cluster) URL() string {
	address, err := c.balancer.Address()
	if err != nil {
		c.t.Fatal(err)
	}
	return "ws://" + address
}

// hosts returns the index of the node on which the latest session in the room began.
func (c *cluster) hosts(room string) int {
	c.t.Helper()
	i := slices.Index(c.nodes, stack.Newest(c.nodes, room))
	if i < 0 {
		c.t.Fatalf("no node has begun a session in %s", room)
	}
	return i
}
