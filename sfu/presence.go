package sfu

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
)

// nobody is a room that does not exist: the names of rooms are hashes.
const nobody = "(is anybody there?)"

// Session returns the sid of the session that identity has in room, "" when
// the SFU says that it has none, or knows no such room. Any other outcome is
// an [*Error]: only a "" with a nil error is a word of absence. It takes until
// ctx ends, at most 10 s.
//
// Every state counts as presence but DISCONNECTED. LiveKit stores a participant
// before its media connects, and sometimes writes one that has just left back
// in that state, to stay so until the room ends.
//
// Identities are compared byte for byte. The bearer of a token that may publish
// can connect once more, with publish=suffix, and is "identity#suffix" then: a
// session with a sid and webhooks of its own, which receives nothing and which
// LiveKit does not end with the first. It is nobody's presence, neither here
// nor in an [Event]: the client that it belonged to may be gone. Nor is it told
// from an identity by its looks: a device id may hold a '#', too.
//
// LiveKit answers from its records, and these are wrong at times. A record is
// deleted by identity, so the end of a replaced session can take the record of
// its successor with it, until that one changes its state or a track. With
// Redis, the records of a node that was killed stay until the room ends, and a
// Redis that was emptied has none of those who are there. [Client.Reachable]
// asks the participant's node instead.
func (c *Client) Session(ctx context.Context, room Room, identity Identity) (sid string, err error) {
	err = c.call(ctx, "GetParticipant", admin(room), func(ctx context.Context) error {
		answer, err := c.rooms.GetParticipant(ctx, &livekit.RoomParticipantIdentity{Room: string(room), Identity: string(identity)})
		switch {
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		case answer.Identity != string(identity):
			return &notTwirpError{"another participant than asked for"}
		}
		sid, err = session(answer)
		return err
	})
	return sid, err
}

// Sessions returns the sids of all who are in room, by identity; none if there
// is no such room. What Session says of presence holds here as well. An error
// is an [*Error]; one participant who makes no sense is enough for it.
func (c *Client) Sessions(ctx context.Context, room Room) (map[Identity]string, error) {
	sids := map[Identity]string{}
	err := c.call(ctx, "ListParticipants", admin(room), func(ctx context.Context) error {
		answer, err := c.rooms.ListParticipants(ctx, &livekit.ListParticipantsRequest{Room: string(room)})
		if isNotFound(err) {
			return nil
		}
		for _, p := range answer.GetParticipants() {
			sid, err := session(p)
			if err != nil {
				return err
			}
			if sid != "" {
				sids[Identity(p.Identity)] = sid
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return sids, nil
}

// Reachable asks the node that holds the session of identity in room whether it
// does. No record is asked: true is the node's own word, whatever Session says.
// False says that within 3 s no node answered for the participant: it has no
// session, or its node is dead or cut off from LiveKit's Redis. Anything else is
// unknown and an [*Error], a call that took too long included. It takes until
// ctx ends, at most 10 s; a ctx of less than 4 s never hears of a false.
//
// The call is UpdateSubscriptions with empty lists: it changes nothing, makes
// no room and is not repeated. While LiveKit waits for the node, the call holds
// one of the client's connections.
func (c *Client) Reachable(ctx context.Context, room Room, identity Identity) (reachable bool, err error) {
	err = c.call(ctx, "UpdateSubscriptions", admin(room), func(ctx context.Context) error {
		_, err := c.rooms.UpdateSubscriptions(ctx, &livekit.UpdateSubscriptionsRequest{Room: string(room), Identity: string(identity)})
		if isUnanswered(err) {
			return nil
		}
		reachable = err == nil
		return err
	})
	return reachable, err
}

// isUnanswered reports whether LiveKit says that no node took the call. It has
// other words for a node that took the call and then failed.
func isUnanswered(err error) bool {
	answer, ok := errors.AsType[twirp.Error](err)
	return ok && isTwirp(err) && answer.Code() == twirp.Unavailable && strings.HasSuffix(answer.Msg(), "no response from servers")
}

// Ping asks the SFU for a room that does not exist, to learn whether it
// answers, and with Redis whether that does. An error is an [*Error].
func (c *Client) Ping(ctx context.Context) error {
	return c.call(ctx, "ListRooms", &auth.VideoGrant{RoomList: true}, func(ctx context.Context) error {
		_, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{nobody}})
		return err
	})
}

// RoomSince returns when the room of that name was made, the zero time if there
// is none. A room that is younger than who was in it says that the SFU has
// forgotten them all: it has restarted, without Redis. An error is an [*Error].
func (c *Client) RoomSince(ctx context.Context, room Room) (since time.Time, err error) {
	err = c.call(ctx, "ListRooms", &auth.VideoGrant{RoomList: true}, func(ctx context.Context) error {
		answer, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{string(room)}})
		for _, r := range answer.GetRooms() {
			if r.Name == string(room) {
				since = time.UnixMilli(max(r.CreationTimeMs, r.CreationTime*1000))
			}
		}
		return err
	})
	return since, err
}

func admin(room Room) *auth.VideoGrant {
	return &auth.VideoGrant{RoomAdmin: true, Room: string(room)}
}

// isNotFound reports whether LiveKit itself says so: the 404 of something else
// becomes another code.
func isNotFound(err error) bool {
	answer, ok := errors.AsType[twirp.Error](err)
	return ok && answer.Code() == twirp.NotFound
}

// session returns the sid of p, "" if p has left. An empty message is a valid
// participant to protobuf, and must not pass for one that is absent.
func session(p *livekit.ParticipantInfo) (sid string, err error) {
	switch {
	case p.Sid == "" || p.Identity == "":
		return "", &notTwirpError{"a participant without sid or identity"}
	case p.State == livekit.ParticipantInfo_DISCONNECTED:
		return "", nil
	}
	return p.Sid, nil
}
