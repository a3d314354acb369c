package sfu

import (
	"context"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
)

// TicketAttribute is the attribute of a participant that holds the ticket: the
// encrypted Matrix user and Matrix room, which this service wrote into the
// access token.
const TicketAttribute = "matrixrtc.ticket"

// Participant is one participant's session in a room, as the SFU describes it.
type Participant struct {
	Identity Identity
	Session  string // the participant's sid
	// Since is when the session began, by the SFU's clock and precise to the
	// millisecond. It is zero if the SFU sent no time.
	Since time.Time
	// Ticket is the value of the attribute [TicketAttribute], or "" if there is
	// none.
	Ticket string
	// Machine says that the participant is an ingress, an egress, a telephone
	// or an agent, and not a user's client.
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

// Participant returns the participant whom the event is about.
func (e Event) Participant() Participant {
	return Participant{Identity: e.Identity, Session: e.Session, Since: e.Since, Ticket: e.Ticket, Machine: e.Machine}
}

// Participants returns all participants in room according to the SFU's records. It
// returns none if room does not exist. The records can be wrong (see
// [Client.Session]). An error is an [*Error]. A malformed participant in the answer
// gives an error.
func (c *Client) Participants(ctx context.Context, room Room) (all []Participant, err error) {
	err = c.eachSession(ctx, room, func(p *livekit.ParticipantInfo, _ string) { all = append(all, participant(p)) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachSession calls the function take once for each participant in room. The second
// argument of take is the participant's sid.
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

// ListRooms returns the names of all rooms on the SFU, including the rooms of
// other applications. An error is an [*Error].
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

// Remove ends the session of identity in room. It succeeds if there is no such
// session. An error is an [*Error]; the session may have ended nevertheless. Remove
// waits at most until ctx ends, and never longer than 10 s. LiveKit waits 3 s of
// that time for a node that does not answer.
//
// Remove also asks the SFU to refuse all tokens that were issued for identity
// before the call. LiveKit v1.13.5 ignores this request, and admits the same token
// again.
//
// LiveKit removes the participant who has the identity when the call arrives. When
// a repeated call arrives, a later session may have the identity. Therefore Remove
// does not repeat the call on another connection.
func (c *Client) Remove(ctx context.Context, room Room, identity Identity) error {
	return c.call(ctx, "RemoveParticipant", admin(room), func(ctx context.Context) error {
		_, err := c.rooms.RemoveParticipant(ctx, &livekit.RoomParticipantIdentity{
			Room: string(room), Identity: string(identity),
			RevokeTokenTs: time.Now().Unix(), // with 0, LiveKit would use a time one minute in the future
		})
		if isNotFound(err) {
			return nil
		}
		return err
	})
}
