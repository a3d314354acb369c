package sfu

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"matrixrtc-auth/internal/timing"
)

const (
	// callTimeout bounds one call of the API, including its retries.
	callTimeout = 10 * time.Second
	// tokenTTL is how long an API token is valid: for the duration of a call,
	// and more, because clocks differ.
	tokenTTL = 5 * time.Minute

	// emptyTimeout is when LiveKit closes a room that nobody has joined.
	// departureTimeout is when it closes a room that everybody has left.
	emptyTimeout     = 5 * time.Minute
	departureTimeout = 20 * time.Second

	// nodeTime is how often each LiveKit node reports to the other nodes.
	nodeTime = 2 * time.Second
)

// Client calls the Room API of one SFU. Several goroutines may use it at once.
type Client struct {
	// Observe, if set, is called at the end of every call, with the method's
	// name, the time that the call took, and the call's *Error or nil. Set
	// Observe before the first call.
	Observe func(op string, d time.Duration, err error)

	rooms  livekit.RoomService
	holder holder
	keys   Keys
	url    string // the API's URL without its password, for messages
}

// NewClient returns a client for the API at api, an http or https URL. The
// URL's path is kept as a prefix. The client signs calls with the first of keys
// and makes them by the HTTP client client, usually one of [NewHTTPClient]. It
// never follows redirects.
func NewClient(api *url.URL, keys Keys, client *http.Client) *Client {
	return &Client{
		rooms:  livekit.NewRoomServiceProtobufClient(strings.TrimRight(api.String(), "/"), guarded(client)),
		holder: newHolder(api, client),
		keys:   keys,
		url:    api.Redacted(),
	}
}

// CreateRoom makes sure that room exists on the SFU. It sets no limit on the
// number of participants. An unused room closes after 300 s, and a used one 20
// s after the last participant has left. A room that already exists is not
// changed, and its timeouts go on. The call takes at most 10 s. An error is an
// [*Error].
//
// It does not create an existing room again, even if the room's node is dead: a
// client that joins moves the room to another node. LiveKit's CreateRoom would
// move it at once, and then end a room older than 300 s within a second unless
// somebody joins it.
//
// For a moment an SFU may have no node for a room: it has just started, its
// Redis was emptied, or the node died. Then CreateRoom asks once more, after 2
// s.
func (c *Client) CreateRoom(ctx context.Context, room Room) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	since, err := c.RoomSince(ctx, room)
	if err != nil || !since.IsZero() {
		return err
	}
	err = c.createRoom(ctx, room)
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Cause != CauseNoNode {
		return err
	}
	if deadline, _ := ctx.Deadline(); time.Until(deadline) <= nodeTime {
		return err
	}
	if !timing.Sleep(ctx, nodeTime) {
		return err
	}
	return c.createRoom(ctx, room)
}

// createRoom makes one call with the grant roomCreate alone. That grant is only in the
// service's own calls: token.Minter writes roomCreate false.
func (c *Client) createRoom(ctx context.Context, room Room) error {
	grant := auth.VideoGrant{RoomCreate: true}
	return c.call(ctx, "CreateRoom", &grant, func(ctx context.Context) error {
		answer, err := c.rooms.CreateRoom(ctx, &livekit.CreateRoomRequest{
			Name:             string(room),
			EmptyTimeout:     uint32(emptyTimeout / time.Second),
			DepartureTimeout: uint32(departureTimeout / time.Second),
		})
		// An empty body is a valid message, too. So check that the answer names
		// the room.
		if err == nil && answer.Name != string(room) {
			return &notTwirpError{fmt.Sprintf("room %q instead of %q", answer.Name, room)}
		}
		return err
	})
}

// call calls do with a context that holds an API token for grant, and turns its
// error into an *Error.
func (c *Client) call(ctx context.Context, op string, grant *auth.VideoGrant, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	start := time.Now()
	err := c.authorized(ctx, op, grant, do)
	if c.Observe != nil {
		c.Observe(op, time.Since(start), err)
	}
	return err
}

func (c *Client) authorized(ctx context.Context, op string, grant *auth.VideoGrant, do func(context.Context) error) error {
	key := c.keys()[0]
	token, err := auth.NewAccessToken(key.ID, key.Secret.Reveal()).SetValidFor(tokenTTL).SetVideoGrant(grant).ToJWT()
	if err != nil {
		return &Error{Op: op, Cause: CauseUnauthorized, Err: fmt.Errorf("cannot sign with the API key: %w", err)}
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	if !onlyOnce(op) {
		// A nil Idempotency-Key is never sent. It tells net/http that the call may
		// be retried when a pooled connection closes before the answer.
		header["Idempotency-Key"] = nil
	}
	ctx, err = twirp.WithHTTPRequestHeaders(ctx, header)
	if err == nil {
		err = do(ctx)
	}
	if err != nil {
		return c.explain(op, err, token)
	}
	return nil
}
