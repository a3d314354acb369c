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
	// tokenTTL is how long an API token is valid. It is much longer than a call of the
	// API takes, because the SFU's clock may differ from ours.
	tokenTTL = 5 * time.Minute

	// emptyTimeout is the time after which LiveKit closes a room that nobody
	// has joined. departureTimeout is the time after which it closes a room
	// that everybody has left.
	emptyTimeout     = 5 * time.Minute
	departureTimeout = 20 * time.Second

	// nodeTime is how often each LiveKit node reports to the other nodes.
	nodeTime = 2 * time.Second
)

// Client calls the Room API of one SFU. Several goroutines may use it at the same
// time.
type Client struct {
	// Observe, if set, is called at the end of every call. Its arguments are
	// the method's name, the time that the call took, and the call's *Error or
	// nil. Set Observe before the first call.
	Observe func(op string, d time.Duration, err error)

	rooms  livekit.RoomService
	holder holder
	keys   Keys
	url    string // the API's URL without its password, for messages
}

// NewClient returns a client for the API at api, an http or https URL. If the
// URL has a path, NewClient keeps the path as a prefix. The client signs calls
// with the first of keys. It sends them with the given HTTP client, usually one
// that [NewHTTPClient] made, and never follows redirects.
func NewClient(api *url.URL, keys Keys, client *http.Client) *Client {
	return &Client{
		rooms:  livekit.NewRoomServiceProtobufClient(strings.TrimRight(api.String(), "/"), guarded(client)),
		holder: newHolder(api, client),
		keys:   keys,
		url:    api.Redacted(),
	}
}

// CreateRoom makes sure that room exists on the SFU. It sets no limit on the number
// of participants. A room that nobody joins closes after 300 s. A room that
// everybody has left closes 20 s after the last participant has left. The call
// takes at most 10 s. An error is an [*Error].
//
// If the room already exists, CreateRoom changes nothing, and does not restart the
// room's timeouts. This is also so if the room's node is dead. LiveKit moves the
// room to another node when a client joins. LiveKit's own CreateRoom would move the
// room immediately, and a moved room that is older than 300 s ends within a second
// unless somebody joins it.
//
// For a moment an SFU may have no node for a room, because it has just started, its
// Redis was emptied, or the node died. In this case CreateRoom tries once more
// after 2 s.
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

// createRoom makes one call of LiveKit's CreateRoom. The token of this call has
// only the grant roomCreate. Clients never get this grant, because token.Minter
// writes roomCreate false.
func (c *Client) createRoom(ctx context.Context, room Room) error {
	grant := auth.VideoGrant{RoomCreate: true}
	return c.call(ctx, "CreateRoom", &grant, func(ctx context.Context) error {
		answer, err := c.rooms.CreateRoom(ctx, &livekit.CreateRoomRequest{
			Name:             string(room),
			EmptyTimeout:     uint32(emptyTimeout / time.Second),
			DepartureTimeout: uint32(departureTimeout / time.Second),
		})
		// An empty body is also a valid protobuf message, so check that the
		// answer names the room.
		if err == nil && answer.Name != string(room) {
			return &notTwirpError{fmt.Sprintf("room %q instead of %q", answer.Name, room)}
		}
		return err
	})
}

// call runs do with a context that has an API token for grant. If do returns an
// error, call turns it into an *Error.
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
		// With the key Idempotency-Key, net/http may repeat the call if a
		// pooled connection closes before the answer. The value nil keeps the
		// header from being sent.
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
