package sfu_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// question is one method of Client that asks the SFU.
type question struct {
	op  string
	ask func(context.Context, *sfu.Client) error
}

func questions() []question {
	return []question{
		{"GetParticipant", func(ctx context.Context, c *sfu.Client) error {
			_, err := c.Session(ctx, "room", identity)
			return err
		}},
		{"ListParticipants", func(ctx context.Context, c *sfu.Client) error {
			_, err := c.Sessions(ctx, "room")
			return err
		}},
		{"ListRooms", func(ctx context.Context, c *sfu.Client) error { return c.Ping(ctx) }},
		{"UpdateSubscriptions", func(ctx context.Context, c *sfu.Client) error {
			_, err := c.Reachable(ctx, "room", identity)
			return err
		}},
	}
}

// startInCall starts a fake SFU on which identity is in the room "room". It
// returns a client for the SFU.
func startInCall(t *testing.T) (*sfu.Client, *sfutest.Server) {
	t.Helper()
	client, server := start(t)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	server.Join("room", identity)
	return client, server
}

func wantFailure(t *testing.T, err error, op, cause string) {
	t.Helper()
	failed, ok := errors.AsType[*sfu.Error](err)
	if !ok || failed.Op != op || failed.Cause != cause {
		t.Errorf("got %v, want %s: %s", err, op, cause)
	}
}

func TestQuestionsGrantLittle(t *testing.T) {
	admin := &auth.VideoGrant{RoomAdmin: true, Room: "room"}
	want := map[string]*auth.VideoGrant{"GetParticipant": admin, "ListParticipants": admin, "ListRooms": {RoomList: true}, "UpdateSubscriptions": admin}
	for _, q := range questions() {
		client, server := startInCall(t)
		var header string
		server.FailNext(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			header = bearer(r)
			next.ServeHTTP(w, r)
		})
		if err := q.ask(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		v, err := auth.ParseAPIToken(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, grants, err := v.Verify(apiSecret); err != nil || !reflect.DeepEqual(grants.Video, want[q.op]) {
			t.Errorf("%s: got the grant %+v, %v, want %+v", q.op, grants.Video, err, want[q.op])
		}
	}
}

func TestQuestionsEndWithTheirContext(t *testing.T) {
	for _, q := range questions() {
		synctest.Test(t, func(t *testing.T) {
			fake := sfutest.New(key)
			fake.FailAlways(sfutest.Hang())
			client, _ := inMemory(t, fake)
			for _, allowed := range []time.Duration{time.Second, time.Minute} {
				ctx, cancel := context.WithTimeout(t.Context(), allowed)
				defer cancel()
				start := time.Now()
				wantFailure(t, q.ask(ctx, client), q.op, sfu.CauseTimeout)
				if took, want := time.Since(start), min(allowed, 10*time.Second); took != want {
					t.Errorf("%s took %s, want %s", q.op, took, want)
				}
			}
		})
	}
}

// TestDeadConnectionAndShortDeadline checks that a dead pooled connection does
// not use up a short deadline, and delays only one call.
func TestDeadConnectionAndShortDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailNext(nil, sfutest.Hang())
		client, network := inMemory(t, fake)
		for i, want := range []time.Duration{0, 300 * time.Millisecond, 0} {
			ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
			defer cancel()
			start := time.Now()
			if err := client.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != want {
				t.Errorf("call %d took %s, want %s", i, took, want)
			}
		}
		if got := network.dials.Load(); got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
	})
}

func TestQuestionsAreObserved(t *testing.T) {
	client, server := startInCall(t)
	var got []string
	client.Observe = func(op string, _ time.Duration, err error) { got = append(got, fmt.Sprint(op, " ", err == nil)) }
	var want []string
	for _, q := range questions() {
		server.FailNext(nil, sfutest.Status(502))
		q.ask(t.Context(), client)
		q.ask(t.Context(), client)
		want = append(want, q.op+" true", q.op+" false")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("observed %q, want %q", got, want)
	}
}
