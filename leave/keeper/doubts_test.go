package keeper_test

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// TestNobodyThereIsNoLoss has participants who are on no node and not in the SFU's
// records. The keeper must not conclude that a node was lost, because after a loss it
// asks nodes more often.
func TestNobodyThereIsNoLoss(t *testing.T) {
	bubble(t, func(t *testing.T) {
		town := newTown(t, 500, 10)
		town.again(time.Minute)
		begin := time.Now()
		for i := 0; time.Since(begin) < 10*time.Minute; i++ {
			k := leave.Key{Room: "elsewhere", Identity: sfu.Identity(fmt.Sprint("n", i))}
			id := string(k.Identity)
			town.schedule(id, time.Minute)
			job := leave.New(k, user(t), delayID(t, id), time.Minute, town.clock.Now())
			if _, err := town.store.Put(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		average, most := town.questions(begin)
		t.Logf("questions to nodes a second: %.1f on average, %d at most", average, most)
		if average > 25 || most > 26+3 { // usually at most 26 questions come in one second; 3 more may be about the participants who never came
			t.Errorf("questions to nodes a second: got %.1f on average and %d at most, want no more than 25 and 29", average, most)
		}
	})
}

// failFor makes each call of method fail in LiveKit for the time d.
func (c *cluster) failFor(d time.Duration, method string) {
	end := time.Now().Add(d)
	c.fake.FailAlways(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if path.Base(r.URL.Path) == method && time.Now().Before(end) {
			sfutest.TwirpError("internal", "scripted")(w, r, nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// TestLossWhileQuestionsFail kills a node while the SFU answers questions with errors.
// The keeper must repeat its questions until the SFU answers.
func TestLossWhileQuestionsFail(t *testing.T) {
	for method, lasting := range map[string]time.Duration{
		// The keeper first asks for alice, who was in the room for longest. She is back,
		// but GetParticipant fails.
		"GetParticipant":      20 * time.Second,
		"UpdateSubscriptions": 15 * time.Second, // by this call, the keeper asks alice's node whether she is there
	} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCluster(t)
				c.enter("alice", long)
				time.Sleep(time.Second)
				c.enter("bob", long)
				time.Sleep(4*time.Minute + 10*time.Second)
				left := time.Now()
				kill(c)
				c.failFor(lasting, method)
				go c.reenter("alice")
				time.Sleep(8 * time.Minute)
				c.wantFate("alice", "", time.Time{}, 0)
				c.wantFate("bob", "sent", left, 60*time.Second)
			})
		})
	}
}

// TestLossWhileOthersComeAndGo kills the LiveKit node of Alice and Bob. Alice joins
// again, so her leave must not be sent. Bob does not come back, so his leave must be
// sent in time, although Carol joins and leaves the room every 0.7 s.
func TestLossWhileOthersComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("alice", long)
		c.enter("bob", long)
		time.Sleep(4*time.Minute + 10*time.Second)
		left := time.Now()
		kill(c)
		c.reenter("alice")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		defer func() { stop(); <-ended }()
		go func() {
			defer close(ended)
			for ctx.Err() == nil {
				joined := c.fake.Join("room", "carol")
				if joined != nil {
					c.hear(joined)
				}
				time.Sleep(700 * time.Millisecond)
				if gone := c.fake.Leave("room", "carol", livekit.DisconnectReason_CLIENT_INITIATED); gone != nil {
					c.hear(gone)
				}
			}
		}()
		time.Sleep(8 * time.Minute)
		stop()
		c.wantFate("alice", "", time.Time{}, 0)
		c.wantFate("bob", "sent", left, 60*time.Second)
	})
}

// TestLossWithoutWebhooks kills a node, and no webhook arrives. When the keeper next
// asks who is in the room, it must find that a participant has joined again.
func TestLossWithoutWebhooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.enter("alice", long)
		c.enter("bob", long)
		time.Sleep(4*time.Minute + 10*time.Second)
		left := time.Now()
		kill(c)
		for c.client.CreateRoom(t.Context(), "room") != nil || c.fake.Join("room", "alice") == nil {
			time.Sleep(time.Second)
		}
		time.Sleep(8 * time.Minute)
		c.wantFate("alice", "", time.Time{}, 0)
		c.wantFate("bob", "sent", left, 100*time.Second)
	})
}

// TestLossDuringALook kills the node of alice and bob while the keeper is asking the SFU
// who is in the room. Alice joins again, so her leave must not be sent. Bob does not, so
// his leave must be sent, within 60 s after the loss.
func TestLossDuringALook(t *testing.T) {
	for phase := 0; phase < 60; phase += 2 { // the second at which the node dies; every 60 s the keeper asks who is in the room, which takes 4 s
		bubble(t, func(t *testing.T) {
			c := newCluster(t)
			c.enter("alice", long)
			time.Sleep(time.Second)
			c.enter("bob", long)
			time.Sleep(4*time.Minute + 10*time.Second + time.Duration(phase)*time.Second)
			c.fake.FailAlways(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if path.Base(r.URL.Path) == "ListParticipants" {
					time.Sleep(4 * time.Second)
				}
				next.ServeHTTP(w, r)
			})
			left := time.Now()
			kill(c)
			go c.reenter("alice")
			time.Sleep(5 * time.Minute)
			c.wantFate("alice", "", time.Time{}, 0)
			c.wantFate("bob", "sent", left, 60*time.Second)
		})
	}
}

// TestBackWhileNodesAreAsked gives alice a new session on another node. When her old
// session ends, LiveKit wrongly deletes the record of the new one. At that time the
// keeper is asking about so many absent members that further questions must wait.
// Alice's leave must not be sent, and the leaves of the absent members must be sent.
func TestBackWhileNodesAreAsked(t *testing.T) {
	for name, session := range map[string]string{"nothing was reported": "another", "their connections broke": "S"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCluster(t)
				c.enter("alice", long)
				time.Sleep(time.Minute)
				home := c.fake.Node("a")
				home.Partition()
				time.Sleep(6 * time.Second)
				joined := c.fake.Join("room", "alice") // alice joins on the other node
				home.Heal()
				left := time.Now()
				c.loseOthers(200, session)
				time.Sleep(100 * time.Millisecond)
				c.hear(home.Leave("room", "alice", livekit.DisconnectReason_DUPLICATE_IDENTITY))
				time.Sleep(3 * time.Second) // LiveKit reports a join when the media is connected
				c.hear(joined)
				time.Sleep(3 * time.Minute)
				c.wantFate("alice", "", time.Time{}, 0)
				var last time.Duration
				for i := range 200 {
					c.wantFate(fmt.Sprint("n", i), "sent", left, 2*time.Minute)
					_, at := c.fate(fmt.Sprint("n", i))
					last = max(last, at.Sub(left))
				}
				t.Logf("the last leave of the others was sent after %v", last)
			})
		})
	}
}

// loseOthers adds n members whose session is "S" and who are on no node. Then it
// reports to the keeper that the given session of each of them has left. So the keeper
// asks the SFU about all of them at the same time.
func (c *cluster) loseOthers(n int, session string) {
	c.t.Helper()
	for i := range n {
		m := leave.Key{Room: "elsewhere", Identity: sfu.Identity(fmt.Sprint("n", i))}
		c.schedule(string(m.Identity), long)
		job := leave.New(m, user(c.t), delayID(c.t, string(m.Identity)), long, c.clock.Now())
		if _, err := c.store.Put(c.t.Context(), job); err != nil {
			c.t.Fatal(err)
		}
		for _, e := range []sfu.Event{{Kind: sfu.KindJoined, Session: "S"}, {Kind: sfu.KindLeft, Session: session}} {
			e.Room, e.Identity = m.Room, m.Identity
			if err := c.current().Report(c.t.Context(), e); err != nil {
				c.t.Error(err)
			}
		}
	}
}
