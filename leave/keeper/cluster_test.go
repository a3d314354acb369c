package keeper_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/standby"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// cluster is a world (test set-up) whose SFU is a fake LiveKit. The fake has two nodes
// that share one Redis. The keeper asks LiveKit through its API.
type cluster struct {
	*world
	fake   *sfutest.SFU
	client *sfu.Client
	redis  *forgetful // the fake of the service's own Redis, which stores the leaves; nil before useRedis is called
	story  *story

	// The fake LiveKit and the service each have a Redis, which saves its data in a
	// file. dump is the content of the file of LiveKit's Redis. The field jobs is the
	// content of the file of the service's Redis.
	dump sfutest.Dump
	jobs []leave.Job

	mu   sync.Mutex
	line chan struct{} // closed when the connection to the SFU ends
}

var apiKey = sfu.Key{ID: "devkey", Secret: secret.New("a-secret-of-at-least-thirty-two-bytes")}

func newCluster(t *testing.T) *cluster {
	c := &cluster{world: newWorld(t), fake: sfutest.New(apiKey, "a", "b"), story: &story{}, line: make(chan struct{})}
	c.client = sfu.NewClient(&url.URL{Scheme: "http", Host: "sfu.test"}, sfu.Always(apiKey), &http.Client{Transport: direct{c.fake}})
	c.fake.Node("a").Prefer()
	c.stop()
	<-c.ended
	c.sfu, c.log = c, c.story.Logger()
	c.start()
	return c
}

// useRedis starts the keeper again with a fake Redis as its store.
func (c *cluster) useRedis() {
	c.stop()
	<-c.ended
	c.redis = &forgetful{store: memstore.New()}
	s := standby.New(c.t.Context(), c.redis, c.log, nil)
	c.t.Cleanup(func() { s.Close() })
	c.store, c.degraded = s, func() bool { return s.Status().Degraded }
	c.start()
}

// save makes LiveKit's Redis and the service's Redis write their files.
func (c *cluster) save() {
	c.t.Helper()
	var err error
	c.dump = c.fake.Dump()
	if c.jobs, err = c.store.Room(c.t.Context(), "room"); err != nil {
		c.t.Error(err)
	}
}

// direct is an HTTP transport without a network: it calls a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() == http.ErrAbortHandler {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// The following methods make a cluster a keeper.SFU.

func (c *cluster) Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error) {
	return c.client.Session(ctx, room, identity)
}

func (c *cluster) Sessions(ctx context.Context, room sfu.Room) (map[sfu.Identity]string, error) {
	return c.client.Sessions(ctx, room)
}

func (c *cluster) RoomSince(ctx context.Context, room sfu.Room) (time.Time, error) {
	return c.client.RoomSince(ctx, room)
}

func (c *cluster) Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error) {
	return c.client.Reachable(ctx, room, identity)
}

func (c *cluster) CreateRoom(ctx context.Context, room sfu.Room) error {
	return c.client.CreateRoom(ctx, room)
}

func (c *cluster) Ping(ctx context.Context) error { return c.client.Ping(ctx) }

func (c *cluster) Watch(ctx context.Context) error {
	c.mu.Lock()
	line := c.line
	c.mu.Unlock()
	select {
	case <-line:
	case <-ctx.Done():
	}
	return nil
}

// hangUp ends the keeper's connection to the SFU.
func (c *cluster) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.line)
	c.line = make(chan struct{})
}

// member is the LiveKit identity of a member of the call. The same text is the delay id
// of this member's leave.
type member string

func (m member) key() leave.Key { return leave.Key{Room: "room", Identity: sfu.Identity(m)} }

// enter makes a member delegate a leave and join the call.
func (c *cluster) enter(m member, delay time.Duration) {
	c.t.Helper()
	c.schedule(string(m), delay)
	job := leave.New(m.key(), user(c.t), delayID(c.t, string(m)), delay, c.clock.Now())
	if err := c.current().Delegate(c.t.Context(), job, many); err != nil {
		c.t.Fatal(err)
	}
	c.reenter(m)
}

// reenter makes a client join, for the first time or after LiveKit has thrown it out.
// The client asks for a token, so the service creates the room. The client tries again
// until it has joined.
func (c *cluster) reenter(m member) {
	c.t.Helper()
	for range 30 {
		if c.client.CreateRoom(c.t.Context(), m.key().Room) == nil {
			if joined := c.fake.Join(m.key().Room, m.key().Identity); joined != nil {
				c.hear(joined)
				return
			}
		}
		time.Sleep(time.Second)
	}
	c.t.Errorf("%s cannot join", m)
}

// quit makes a member leave for the given reason. Unless the reason is that the client
// left by itself, LiveKit notices the leave only after 19 s.
func (c *cluster) quit(m member, reason livekit.DisconnectReason) {
	if reason != livekit.DisconnectReason_CLIENT_INITIATED {
		time.Sleep(19 * time.Second)
	}
	if left := c.fake.Leave(m.key().Room, m.key().Identity, reason); left != nil {
		c.hear(left)
	}
}

// hear passes a webhook of LiveKit to the keeper.
func (c *cluster) hear(w *livekit.WebhookEvent) {
	c.t.Helper()
	if err := c.current().Report(context.Background(), eventOf(w)); err != nil {
		c.t.Errorf("Report: %v", err)
	}
}

// eventOf converts a webhook as sfu.Webhooks does.
func eventOf(w *livekit.WebhookEvent) sfu.Event {
	e := sfu.Event{
		Kind: sfu.KindLeft, Room: sfu.Room(w.Room.Name), Identity: sfu.Identity(w.Participant.Identity),
		Session: w.Participant.Sid, Reason: sfu.ReasonOther,
	}
	if w.Event == "participant_joined" {
		e.Kind = sfu.KindJoined
	}
	switch w.Participant.DisconnectReason {
	case livekit.DisconnectReason_CLIENT_INITIATED:
		e.Reason = sfu.ReasonClear
	case livekit.DisconnectReason_SERVER_SHUTDOWN:
		e.Reason = sfu.ReasonServerShutdown
	}
	return e
}

// story is the keeper's log. Its method way reads the states of a job from the lines.
type story struct{ logtest.Log }

// way returns the states that a member's job has gone through, and "ended" if it
// has ended. The order may be wrong, because two workers may log at the same time.
func (s *story) way(m member) (states []string) {
	for _, line := range s.Lines() {
		if !strings.Contains(line, "identity="+string(m)+" ") {
			continue
		}
		switch {
		case strings.Contains(line, `msg="leave: job ended"`):
			states = append(states, "ended")
		case strings.Contains(line, `msg="leave: state changed"`):
			if len(states) == 0 {
				states = append(states, value(line, "from"))
			}
			states = append(states, value(line, "state"))
		}
	}
	return states
}

// value returns the value of the attribute key in a line of the log.
func value(line, key string) string {
	_, after, _ := strings.Cut(line, " "+key+"=")
	text, _, _ := strings.Cut(after, " ")
	return strings.TrimSpace(text)
}
