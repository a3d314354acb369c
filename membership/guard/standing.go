package guard

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// person is a user and a Matrix room. The guard asks the homeserver whether the
// user is joined to the room.
type person struct {
	room matrix.RoomID
	user matrix.UserID
}

// standing says how the guard treats a session. The session's ticket decides
// its standing.
type standing int

const (
	unsealed standing = iota // the guard cannot open a ticket of the session, or the session is not of a user's client
	foreign                  // the ticket is of another service, or its bearer was not known to be joined
	enforced
)

// session is an enforced session on the SFU: one that the guard ends if the
// bearer of its ticket is not joined.
type session struct {
	person
	at     sfu.Room
	issued time.Time // when the session's ticket was issued, in whole seconds
	sfu.Participant
}

// stand returns the standing of the participant p in room, which says how the
// guard treats p's session. If the session is enforced, stand also returns the
// session: the guard ends an enforced session when the person who has it is not
// joined to the Matrix room. The guard leaves three kinds of sessions alone:
//
//   - sessions of machines, like recorders
//   - sessions without a ticket of this service
//   - sessions of bearers who were not known to be joined when they got their
//     token
func (g *Guard) stand(room sfu.Room, p sfu.Participant) (session, standing) {
	if p.Machine || p.Ticket == "" {
		return session{}, unsealed
	}
	t, _, err := g.Tickets.Open(p.Ticket, ticket.Place{Room: room, Identity: p.Identity})
	switch {
	case err != nil:
		return session{}, unsealed
	case t.Issuer != g.Issuer, !t.Joined:
		return session{}, foreign
	}
	p.Ticket = "" // the guard needs the ticket no more; without it, a sweep takes less memory
	return session{person{t.Room, t.User}, room, t.Issued, p}, enforced
}
