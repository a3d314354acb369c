package sfu

import (
	"context"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
)

// TicketAttribute is the attribute of a participant that holds what this
// service wrote about the bearer into the access token.
const TicketAttribute = "matrixrtc.ticket"

// Participant is one participant's session in a room, as the SFU describes it.
type Participant struct {
	Identity Identity
	Session  string // the participant.sid
	// Since is when the session began, to the millisecond, by the SFU's clock.
	// It is zero if the SFU did not say.
	Since time.Time
	// Ticket is the value of the attribute [TicketAttribute], "" if there is
	// none.
	Ticket string
	// Machine says that the participant is not a user's client, but an ingress,
	// an egress, a telephone or an agent.
	Machine bool
}

// participant returns p as a Participant. p may be nil.
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

// Participant returns the participant that e is about.
func (e Event) Participant() Participant {
	return Participant{Identity: e.Identity, Session: e.Session, Since: e.Since, Ticket: e.Ticket, Machine: e.Machine}
}

// Participants returns all participants in room, by the SFU's records; none if
// room does not exist. Records may be wrong, as [Client.Session] says. An error
// is an [*Error]. One malformed participant in the answer is an error, too.
func (c *Client) Participants(ctx context.Context, room Room) (all []Participant, err error) {
	err = c.eachSession(ctx, room, func(p *livekit.ParticipantInfo, _ string) { all = append(all, participant(p)) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachSession calls take with each participant in room and the participant's
// sid.
func (c *Client) eachSession(ctx context.Context, room Room, take func(p *livekit.ParticipantInfo, sid string)) error {
	return c.call(ctx, "ListParticipants", admin(room), func(ctx context.Context) error {
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
				take(p, sid)
			}
		}
		return err
	})
}

// ListRooms returns the names of all rooms on the SFU, including rooms of other
// applications. An error is an [*Error].
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

// Remove ends the session of identity in room. It also asks the SFU to refuse
// all tokens issued for identity until now; v1.13.5 does not do that, and
// admits the same token again. Remove succeeds if there is no such session. An
// error is an [*Error]; the session may have ended nevertheless. Remove takes
// until ctx ends, at most 10 s. LiveKit waits 3 s of that for a node that does
// not answer.
//
// LiveKit removes the participant that has the identity when the call arrives.
// So the call is not retried if its connection is silent or was closed: a later
// session may have the identity by then.
func (c *Client) Remove(ctx context.Context, room Room, identity Identity) error {
	return c.call(ctx, "RemoveParticipant", admin(room), func(ctx context.Context) error {
		_, err := c.rooms.RemoveParticipant(ctx, &livekit.RoomParticipantIdentity{
			Room: string(room), Identity: string(identity),
			RevokeTokenTs: time.Now().Unix(), // if this were 0, LiveKit would use a time one minute ahead
		})
		if isNotFound(err) {
			return nil
		}
		return err
	})
}
