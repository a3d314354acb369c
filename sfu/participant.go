package sfu

import (
	"context"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
)

// TicketAttribute is the name of the participant's attribute that holds what
// the service wrote into the access token about its bearer.
const TicketAttribute = "matrixrtc.ticket"

// Participant is a session in a room, as the SFU tells of it.
type Participant struct {
	Identity Identity
	Session  string // the participant.sid
	// Since is when the session began, by the SFU's clock, to the millisecond;
	// zero if the SFU did not say.
	Since time.Time
	// Ticket is the [TicketAttribute], "" if it has none.
	Ticket string
	// Machine: an ingress, an egress, a telephone, an agent; no client of a
	// user.
	Machine bool
}

// participant reads p, which may be nil.
func participant(p *livekit.ParticipantInfo) Participant {
	read := Participant{
		Identity: Identity(p.GetIdentity()),
		Session:  p.GetSid(),
		Ticket:   p.GetAttributes()[TicketAttribute],
		Machine:  p.GetKind() != livekit.ParticipantInfo_STANDARD,
	}
	switch {
	case p.GetJoinedAtMs() > 0:
		read.Since = time.UnixMilli(p.GetJoinedAtMs())
	case p.GetJoinedAt() > 0:
		read.Since = time.Unix(p.GetJoinedAt(), 0)
	}
	return read
}

// Participant returns whose event e is.
func (e Event) Participant() Participant {
	return Participant{Identity: e.Identity, Session: e.Session, Since: e.Since, Ticket: e.Ticket, Machine: e.Machine}
}

// Participants returns all who are in room by the SFU's records, nobody if there
// is no such room. What [Client.Session] says of records holds here as well. An
// error is an [*Error]; one participant who makes no sense is enough for it.
func (c *Client) Participants(ctx context.Context, room Room) (all []Participant, err error) {
	err = c.call(ctx, "ListParticipants", admin(room), func(ctx context.Context) error {
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
				all = append(all, participant(p))
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ListRooms returns the names of all rooms that the SFU has, those of other
// applications included. An error is an [*Error].
func (c *Client) ListRooms(ctx context.Context) (all []Room, err error) {
	err = c.call(ctx, "ListRooms", &auth.VideoGrant{RoomList: true}, func(ctx context.Context) error {
		answer, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{})
		for _, room := range answer.GetRooms() {
			all = append(all, Room(room.Name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Remove ends the session that identity has in room, and has the SFU refuse
// tokens for them that were issued until now, as far as it can: v1.13.5 cannot,
// and lets the same token in again. It is done as well when there is no such
// session. An error is an [*Error]; the session may have ended nevertheless. It
// takes until ctx ends, at most 10 s, 3 s of which LiveKit waits for a node that
// does not answer.
//
// LiveKit removes whoever has the identity when the call arrives. So the call is
// not repeated on another connection, be the first one silent or closed: by then
// a later session may have the identity.
func (c *Client) Remove(ctx context.Context, room Room, identity Identity) error {
	return c.call(ctx, "RemoveParticipant", admin(room), func(ctx context.Context) error {
		_, err := c.rooms.RemoveParticipant(ctx, &livekit.RoomParticipantIdentity{
			Room: string(room), Identity: string(identity),
			RevokeTokenTs: time.Now().Unix(), // 0 would be a minute ahead
		})
		if isNotFound(err) {
			return nil
		}
		return err
	})
}
