package guard

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// person is a user in a Matrix room: what a homeserver is asked about.
type person struct {
	room matrix.RoomID
	user matrix.UserID
}

// standing is how the guard treats a session, by its ticket.
type standing int

const (
	unsealed standing = iota // no ticket that we can open, or not the client of a user
	foreign                  // the ticket is of another service, or its bearer was not known to be joined
	enforced
)

// session is an enforced session on the SFU.
type session struct {
	person
	at     sfu.Room
	issued time.Time // when the ticket was issued, in whole seconds
	sfu.Participant
}

// stand returns the standing of p in room, and the session if it is enforced.
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
	p.Ticket = "" // saves memory, because a sweep holds all sessions
	return session{person{t.Room, t.User}, room, t.Issued, p}, enforced
}
