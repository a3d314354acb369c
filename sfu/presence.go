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

// nobody is a room that cannot exist, because the names of rooms are hashes.
const nobody = "(is anybody there?)"

// Session returns the sid of the session of identity in room. It returns "" if
// the SFU says that there is no such session, or no such room. Any other
// outcome is an [*Error]: only "" with a nil error means absence. It takes
// until ctx ends, at most 10 s.
//
// Every state except DISCONNECTED counts as present. LiveKit stores a
// participant before its media connects. It sometimes stores one that has just
// left in that state again, until the room ends.
//
// Identities are compared byte for byte. The bearer of a token that may publish
// can connect a second time with publish=suffix, as "identity#suffix". That
// session has a sid and webhooks of its own, receives nothing, and does not end
// with the first one. It does not count as the identity's presence, neither
// here nor in an [Event]: the client that it belonged to may be gone. Its form
// does not reveal it either, since a device id may contain a '#', too.
//
// LiveKit answers from its records, which are sometimes wrong. It deletes a
// record by identity. So the end of a replaced session can delete the record of
// its successor, until that one changes its state or a track. With Redis, the
// records of a killed node stay until the room ends, and an emptied Redis has
// no records of those who are connected. [Client.Reachable] asks the
// participant's node instead.
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

// Sessions returns the sids of all participants in room by identity, none if
// there is no such room. The limits that [Client.Session] describes apply. An
// error is an [*Error]; one malformed participant is enough for it.
func (c *Client) Sessions(ctx context.Context, room Room) (map[Identity]string, error) {
	sids := map[Identity]string{}
	err := c.eachSession(ctx, room, func(p *livekit.ParticipantInfo, sid string) { sids[Identity(p.Identity)] = sid })
	if err != nil {
		return nil, err
	}
	return sids, nil
}

// Reachable asks the participant's node whether it holds the session of
// identity in room. It uses no record: true is the node's own answer, whatever
// Session says. False says that no node answered for the participant within 3
// s: there is no session, or its node is dead or cut off from LiveKit's Redis.
// Anything else, such as a call that took too long, is unknown and an [*Error].
// Reachable takes until ctx ends, at most 10 s. With a ctx of less than 4 s it
// never returns false.
//
// The call is UpdateSubscriptions with empty lists. It changes nothing, creates
// no room and is not retried. While LiveKit waits for the node, the call holds
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

// isUnanswered reports whether LiveKit says that no node took the call. If a
// node took it and then failed, LiveKit uses other words.
func isUnanswered(err error) bool {
	answer, ok := errors.AsType[twirp.Error](err)
	return ok && isTwirp(err) && answer.Code() == twirp.Unavailable && strings.HasSuffix(answer.Msg(), "no response from servers")
}

// Ping asks the SFU for a room that does not exist, to learn whether the SFU
// and its Redis, if any, answer. An error is an [*Error].
func (c *Client) Ping(ctx context.Context) error {
	return c.call(ctx, "ListRooms", &auth.VideoGrant{RoomList: true}, func(ctx context.Context) error {
		_, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{nobody}})
		return err
	})
}

// RoomSince returns when the room was created, the zero time if it does not
// exist. If a participant joined before the room was created, the SFU has
// restarted without Redis and forgotten all participants. An error is an
// [*Error].
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

// isNotFound reports whether LiveKit itself says so. A 404 of something else
// has another code.
func isNotFound(err error) bool {
	answer, ok := errors.AsType[twirp.Error](err)
	return ok && answer.Code() == twirp.NotFound
}

// session returns the sid of p, "" if p has left. An empty message is a valid
// participant to protobuf, so it is an error here, not an absence.
func session(p *livekit.ParticipantInfo) (sid string, err error) {
	switch {
	case p.Sid == "" || p.Identity == "":
		return "", &notTwirpError{"a participant without sid or identity"}
	case p.State == livekit.ParticipantInfo_DISCONNECTED:
		return "", nil
	}
	return p.Sid, nil
}
