package keeper_test

import (
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/leave"
)

// losses are the rows of the second table in docs/leave.md. The key is the text in the
// first column. Each row says what happens to LiveKit while alice and bob are in a
// call.
var losses = map[string]loss{
	"a node is killed":  {begin: kill, thrownOut: true, gone: true},
	"a node is drained": {begin: func(c *cluster) { c.fake.Node("a").Drain() }},
	"a node is stopped": {begin: stopNode, thrownOut: true},
	"a node is cut off for 20 s": {begin: func(c *cluster) {
		c.fake.Node("a").Partition()
		time.AfterFunc(20*time.Second, c.fake.Node("a").Heal)
	}, mayBeGone: true},
	"a node is killed and starts again under its id": {begin: func(c *cluster) {
		kill(c)
		c.fake.Node("a").Start()
	}, thrownOut: true, gone: true},
	"LiveKit's Redis starts again empty": {begin: func(c *cluster) { c.fake.Flush() }},
	"LiveKit's Redis, which also has the leaves, starts again empty": {begin: func(c *cluster) {
		c.fake.Flush()
		c.redis.loseAll(c.t, nil)
	}, shared: true},
	"LiveKit's Redis starts again from an old file": {begin: func(c *cluster) { c.fake.Restore(c.dump) }},
	"LiveKit's Redis, which also has the leaves, starts again from an old file": {begin: func(c *cluster) {
		c.fake.Restore(c.dump)
		c.redis.loseAll(c.t, c.jobs)
	}, shared: true},
}

type loss struct {
	begin func(c *cluster)
	// thrownOut says that LiveKit throws the clients out, so that they must come back.
	// shared says that LiveKit's Redis also stores the leaves. gone says that the keeper
	// must find out that bob's node is gone. mayBeGone says that the keeper finds this
	// out only if it asks at the right time.
	thrownOut, shared, gone, mayBeGone bool
}

func kill(c *cluster) { c.fake.Node("a").Kill() }

func stopNode(c *cluster) {
	for _, report := range c.fake.Node("a").Stop() {
		c.hear(report)
	}
}

// TestLosses checks each row of the second table in docs/leave.md. The leaves of
// participants who are in the call must not be sent. If a participant left the call
// just when the loss happened, their leave must be sent in time. The drawing in
// docs/leave.md must have the labels in the last column of the table.
func TestLosses(t *testing.T) {
	page, err := os.ReadFile("../../docs/leave.md")
	if err != nil {
		t.Fatal(err)
	}
	_, drawing, _ := strings.Cut(string(page), "```\n")
	drawing, _, _ = strings.Cut(drawing, "```")
	rows := regexp.MustCompile(`(?m)^\| (.*) \| stays(?:, .*)? \| within (\d+) s \| (.*) \|$`).FindAllStringSubmatch(string(page), -1)
	seen := map[string]bool{}
	for _, row := range rows {
		loss, ok := losses[row[1]]
		if !ok {
			t.Errorf("the table in docs/leave.md has %q, which losses lacks", row[1])
			continue
		}
		seen[row[1]] = true
		seconds, _ := strconv.Atoi(row[2])
		t.Run(row[1], func(t *testing.T) {
			loss.run(t, time.Duration(seconds)*time.Second)
		})
		for label := range strings.SplitSeq(row[3], "; ") {
			if !strings.Contains(drawing, label) {
				t.Errorf("%s: want %q in the drawing", row[1], label)
			}
		}
	}
	for what := range losses {
		if !seen[what] {
			t.Errorf("losses has %q, which the table in docs/leave.md lacks", what)
		}
	}
}

func (l loss) run(t *testing.T, limit time.Duration) {
	for phase := range 4 { // the loss happens at four different times between two questions about who is in the room
		bubble(t, func(t *testing.T) {
			c := newCluster(t)
			c.twoInCall(l.shared)
			time.Sleep(time.Duration(phase) * 17 * time.Second)
			l.begin(c)
			if l.thrownOut {
				go c.reenter("alice")
				go c.reenter("bob")
			}
			time.Sleep(6 * time.Minute)
			c.wantFate("alice", "", time.Time{}, 0)
			c.wantFate("bob", "", time.Time{}, 0)
		})
		bubble(t, func(t *testing.T) {
			c := newCluster(t)
			c.twoInCall(l.shared)
			time.Sleep(time.Duration(phase) * 17 * time.Second)
			left := time.Now()
			l.begin(c)
			if l.thrownOut {
				go c.reenter("alice")
			}
			c.quit("bob", livekit.DisconnectReason_CONNECTION_TIMEOUT)
			time.Sleep(6 * time.Minute)
			c.wantFate("alice", "", time.Time{}, 0)
			c.wantFate("bob", "sent", left, limit)
			want := []string{"connected", "ended", "leaving", "sending"}
			if way := c.story.way("bob"); !slices.Equal(slices.Sorted(slices.Values(way)), want) {
				t.Errorf("the states of bob's leave: got %s, want %s in any order", way, want)
			}
			if way := c.story.way("alice"); slices.Contains(way, "sending") {
				t.Errorf("the states of alice's leave: got %s, want no sending", way)
			}
			if n := c.nodes.get(leave.NodeGone); n > 0 != l.gone && !l.mayBeGone {
				t.Errorf("a node was found to be gone %d times, want it found: %v", n, l.gone)
			}
		})
	}
}

// twoInCall brings alice and bob into the call for some minutes. Alice joins, LiveKit's
// Redis writes its file, and alice joins again with a new session. Then bob joins. If
// shared is true, the same Redis stores the leaves.
func (c *cluster) twoInCall(shared bool) {
	if shared {
		c.useRedis()
	}
	c.enter("alice", long)
	time.Sleep(time.Minute)
	c.save()
	c.reenter("alice")
	c.enter("bob", long)
	time.Sleep(3 * time.Minute)
	c.story.Reset()
}

// TestLossOfTheOnlyMember kills the node of a call with one member, who does not come
// back. The keeper must send the leave within 6 minutes. Only the node's answer shows
// the loss. The keeper asks the node every fourth time that it asks who is in the room.
func TestLossOfTheOnlyMember(t *testing.T) {
	for phase := range 12 {
		bubble(t, func(t *testing.T) {
			c := newCluster(t)
			c.enter("bob", long)
			time.Sleep(3*time.Minute + time.Duration(phase)*21*time.Second)
			left := time.Now()
			kill(c)
			time.Sleep(8 * time.Minute)
			c.wantFate("bob", "sent", left, 6*time.Minute)
		})
	}
}

// TestNoNodeIsGoneWithoutARecord removes a participant's record from LiveKit's Redis.
// Then the participant leaves without a webhook. The keeper must not conclude that the
// node is gone.
func TestNoNodeIsGoneWithoutARecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("bob", long)
		time.Sleep(3 * time.Minute)
		c.fake.Flush()
		time.Sleep(6 * time.Minute)
		if c.nodes.get(string(leave.NodeAnswers)) == 0 {
			t.Error("bob's node: got no answer, want one")
		}
		left := time.Now()
		c.fake.Leave("room", "bob", livekit.DisconnectReason_CLIENT_INITIATED)
		time.Sleep(8 * time.Minute)
		c.wantFate("bob", "sent", left, 6*time.Minute)
		if n := c.nodes.get(leave.NodeGone); n > 0 {
			t.Errorf("a node was found to be gone %d times, want never", n)
		}
	})
}

// TestConnectionTellsOfALoss kills the LiveKit node to which the keeper is connected.
// The connection ends, so the keeper must notice immediately that the node's
// participants are gone.
func TestConnectionTellsOfALoss(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("bob", long)
		time.Sleep(3 * time.Minute)
		left := time.Now()
		kill(c)
		c.hangUp()
		time.Sleep(8 * time.Minute)
		c.wantFate("bob", "sent", left, 35*time.Second)
	})
}

// TestRefusalsCountOnlyWithAGap cuts a node off for 4 s. A node counts as gone if the
// SFU says twice that no node holds a session, at least 5 s apart. So this node must
// not count as gone, however often the keeper asks.
func TestRefusalsCountOnlyWithAGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("bob", long)
		time.Sleep(time.Minute)
		c.fake.Node("a").Partition()
		for range 8 {
			c.hangUp()
			time.Sleep(500 * time.Millisecond)
		}
		c.fake.Node("a").Heal()
		time.Sleep(8 * time.Minute)
		c.wantFate("bob", "", time.Time{}, 0)
		if way := c.story.way("bob"); slices.Contains(way, "leaving") {
			t.Errorf("the states of bob's leave: got %s, want no leaving", way)
		}
	})
}

// TestNoNodeIsAskedAfterAGoodbye has a client that tells LiveKit that it leaves. The
// keeper must send the leave immediately, and must not ask a node.
func TestNoNodeIsAskedAfterAGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("bob", long)
		time.Sleep(10 * time.Second)
		asked := c.fake.Calls("UpdateSubscriptions")
		left := time.Now()
		c.quit("bob", livekit.DisconnectReason_CLIENT_INITIATED)
		time.Sleep(time.Minute)
		c.wantFate("bob", "sent", left, 200*time.Millisecond)
		if n := c.fake.Calls("UpdateSubscriptions") - asked; n > 0 {
			t.Errorf("got %d questions to nodes, want 0", n)
		}
	})
}

// TestNodeThatHangs has a node that accepts questions and never answers. No participant
// may count as gone, and the SFU must not count as away.
func TestNodeThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("bob", long)
		time.Sleep(time.Minute)
		c.fake.FailAlways(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if path.Base(r.URL.Path) == "UpdateSubscriptions" {
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
		for range 60 {
			time.Sleep(2*time.Minute + 300*time.Millisecond)
			if !c.current().SFUAnswers() {
				t.Fatal("SFUAnswers: got false, want true")
			}
		}
		c.wantFate("bob", "", time.Time{}, 0)
		c.fake.FailAlways(nil)
		if text := c.story.String(); strings.Contains(text, "the SFU does not answer") {
			t.Errorf("log: want no line about an SFU that does not answer, got\n%s", text)
		}
		left := time.Now()
		c.quit("bob", livekit.DisconnectReason_CLIENT_INITIATED)
		time.Sleep(time.Minute)
		c.wantFate("bob", "sent", left, time.Second)
	})
}
