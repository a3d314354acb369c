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

// nobody is the name of a room that cannot exist, because names of real rooms
// are hashes.
const nobody = "(is anybody there?)"

// Session returns the sid of the session of identity in room. It returns "" with a
// nil error if the SFU says that there is no such session, or no such room. Any
// other outcome is an [*Error], and does not mean that the participant is absent.
// Session waits at most until ctx ends, and never longer than 10 s.
//
// Every state except DISCONNECTED counts as present. LiveKit already stores a
// participant before the participant's media connects. Sometimes LiveKit stores a
// record of a participant who has already left. That record has the state from
// before the media connected, and stays until the room ends.
//
// Session compares identities byte for byte. The bearer of a token with the right
// to publish can connect a second time with publish=suffix, as "identity#suffix".
// This second session has its own sid and webhooks, receives nothing, and does not
// end with the first session. It does not count as the presence of the identity, in
// Session or in an [Event], because the client that opened it may be gone. Session
// does not look for a '#' in the identity, because a device id may also contain a
// '#'.
//
// LiveKit answers from its records, which are sometimes wrong:
//
//   - LiveKit deletes a record by identity. When a replaced session ends, LiveKit
//     can therefore delete the record of the newer session. The record comes back
//     when the newer session changes its state or a track.
//   - With Redis, the records of a killed node stay until the room ends.
//   - If Redis was emptied, participants who are connected have no records.
//
// [Client.Reachable] asks the participant's node instead.
func (c *Client) Session(ctx context.Context, room Room, identity Identity) (sid string, err error) {
	err = c.call(ctx, "GetParticipant", admin(room), func(ctx context.Context) error {
		answer, err := c.rooms.GetParticipant(ctx, &livekit.RoomParticipantIdentity{Room: string(room), Identity: string(identity)})
		switch {
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		case answer.Identity != string(identity):
			return &notTwirpError{"a participant with another identity"}
		}
		sid, err = session(answer)
		return err
	})
	return sid, err
}

// Sessions returns the sid of each participant in room, by identity. If room does
// not exist, it returns none. The records can be wrong (see [Client.Session]). An
// error is an [*Error]. A malformed participant in the answer gives an error.
func (c *Client) Sessions(ctx context.Context, room Room) (map[Identity]string, error) {
	sids := map[Identity]string{}
	err := c.eachSession(ctx, room, func(p *livekit.ParticipantInfo, sid string) { sids[Identity(p.Identity)] = sid })
	if err != nil {
		return nil, err
	}
	return sids, nil
}

// Reachable asks the participant's node whether it holds the session of identity in
// room. The result true comes from the node itself, so it counts even if Session
// says otherwise. The result false says that no node answered for the participant
// within 3 s. Then there is no session, or its node is dead or cut off from
// LiveKit's Redis. Any other outcome, such as a call that took too long, is an
// [*Error] and says nothing.
//
// Reachable waits at most until ctx ends, and never longer than 10 s. With a ctx of
// less than 4 s it never returns false. It calls UpdateSubscriptions with empty
// lists, which changes nothing and creates no room. The client does not repeat this
// call. While LiveKit waits for the node, the call holds one of the client's
// connections.
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
// node takes a call and then fails, LiveKit sends another text.
func isUnanswered(err error) bool {
	answer, ok := errors.AsType[twirp.Error](err)
	return ok && isTwirp(err) && answer.Code() == twirp.Unavailable && strings.HasSuffix(answer.Msg(), "no response from servers")
}

// Ping checks whether the SFU answers. If the SFU has a Redis, Ping also checks
// whether the Redis answers. Ping asks for a room that does not exist. An error is
// an [*Error].
func (c *Client) Ping(ctx context.Context) error {
	return c.call(ctx, "ListRooms", &auth.VideoGrant{RoomList: true}, func(ctx context.Context) error {
		_, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{nobody}})
		return err
	})
}

// RoomSince returns the time at which room was created, or the zero time if room
// does not exist. If a participant joined before the room was created, the SFU
// has restarted without Redis since the join, and has lost the participant. An
// error is an [*Error].
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

// admin returns the grant for asking about participants of room and removing
// them. It is roomAdmin for this room alone.
func admin(room Room) *auth.VideoGrant {
	return &auth.VideoGrant{RoomAdmin: true, Room: string(room)}
}

// isNotFound reports whether LiveKit itself says that a room or a participant
// does not exist. A proxy's 404 has another Twirp code.
func isNotFound(err error) bool {
	answer, ok := errors.AsType[twirp.Error](err)
	return ok && answer.Code() == twirp.NotFound
}

// session returns the sid of p, or "" if p has left. For protobuf, an empty
// message is a valid participant. session returns an error for it, so that an
// empty message does not mean that the participant is absent.
func session(p *livekit.ParticipantInfo) (sid string, err error) {
	switch {
	case p.Sid == "" || p.Identity == "":
		return "", &notTwirpError{"a participant without sid or identity"}
	case p.State == livekit.ParticipantInfo_DISCONNECTED:
		return "", nil
	}
	return p.Sid, nil
}
