package browser

import (
	"context"
	"regexp"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// TestNodes tests two LiveKit nodes and three services. The nodes have a Redis of their
// own, or use the Redis of the services. A node ends or dies, or the Redis loses its
// data. The service must not send the leave of a person who is in the call or comes
// back. If a person's browser dies together with the node, the service must send the
// person's leave.
func TestNodes(t *testing.T) {
	t.Run("two Redises", func(t *testing.T) { nodeDrained(t, newNodes(t, false)) })
	t.Run("one Redis", func(t *testing.T) { nodeKilled(t, newNodes(t, true)) })
}

func newNodes(t *testing.T, oneRedis bool) *stack.Stack {
	return newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) {
		lent(s)
		s.Nodes, s.Replicas, s.OneRedis = 2, 3, oneRedis
		// The service asks LiveKit every 3 s who is in the room. Each fourth time it
		// also asks the nodes about each participant. The short interval makes this
		// happen soon.
		s.Env = map[string]string{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "3"}
	})
}

// afterGrace is long enough for the service to ask LiveKit four times who is in the
// room, and for all grace periods after that. At every fourth time, the service also
// asks the room's nodes.
const afterGrace = 40 * time.Second

// nodeDrained empties LiveKit's Redis. Later it drains the node that has the call. A
// drained node ends when its calls have ended.
func nodeDrained(t *testing.T, s *stack.Stack) {
	defer tail(t, s)
	c := newCall(t, s, stack.Compatibility)
	if err := s.LiveKitRedis.Flush(within(t, starting)); err != nil {
		t.Fatal(err)
	}
	c.stays(afterGrace)
	c.alice.sees(2)
	c.bob.sees(2)

	node := s.NodeOf(livekitRoom(c.room))
	node.Drain()
	c.stays(10 * time.Second)
	c.alice.sees(2)
	c.bob.sees(2)
	c.alice.closeTab()
	c.isSent(5 * time.Second)
}

// nodeKilled starts a call of three people. Then it kills the node of the call and
// Alice's browser at the same time.
func nodeKilled(t *testing.T, s *stack.Stack) {
	defer tail(t, s)
	carol := newPerson(t, s, "carol")
	c := &call{t: t, stack: s, mode: stack.Compatibility, alice: newPerson(t, s, "alice"), bob: newPerson(t, s, "bob")}
	c.begin(carol)
	carol.call(c.room, true)
	carol.sees(3)
	carol.isMember(c.bob, c.room, c.mode)
	carol.delegates("")

	node := s.NodeOf(livekitRoom(c.room))
	c.alice.chromium.Kill()
	node.Kill()
	killed := time.Now()
	t.Cleanup(func() { restart(t, node) })
	c.meetAgain(node, c.bob, carol)
	c.isSent(60*time.Second - time.Since(killed))
	t.Logf("the dead has left %v after the kill", time.Since(killed).Round(100*time.Millisecond))
	c.bob.sees(2)
	carol.sees(2)
	c.alice = carol
	c.stays(10 * time.Second)
	for _, p := range []*person{c.bob, carol} {
		if n := c.emptied(p); n != 0 {
			t.Errorf("%s, who came back: got %d leaves, want 0", p.name, n)
		}
	}
	c.leave = carol.delegates("")
	carol.closeTab()
	c.isSent(5 * time.Second)
}

// restart starts a killed node again.
func restart(t *testing.T, node *stack.SFU) {
	ctx, cancel := context.WithTimeout(context.Background(), starting) // the context of the test has already ended
	defer cancel()
	if err := node.Start(ctx); err != nil {
		t.Errorf("Start: got %v, want no error", err)
	}
}

// meetAgain waits until the people are in the LiveKit room again. They must be on
// another node than the dead one within 30 s.
func (c *call) meetAgain(dead *stack.SFU, people ...*person) {
	c.t.Helper()
	began := time.Now()
	for _, p := range people {
		active := regexp.MustCompile(`participant active.*` + regexp.QuoteMeta(livekitRoom(c.room)) + `.*` + regexp.QuoteMeta(p.UserID))
		c.eventually(30*time.Second-time.Since(began), p.name+" is in the room again", func() (bool, string) {
			node := c.stack.NodeOf(livekitRoom(c.room))
			return node != dead && active.MatchString(node.Log().String()), node.Name
		})
	}
	c.t.Logf("in one room again after %v", time.Since(began).Round(100*time.Millisecond))
}
