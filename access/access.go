// Package access decides what a proven caller gets: whether they are in the
// Matrix room, which LiveKit room and identity they get, what their token
// allows, and whether this service takes over their leave. The package contains
// no HTTP. Its functions return a result, or an error that says why the caller
// gets nothing.
package access

import (
	"context"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// Verifier finds out to which user an OpenID token belongs.
type Verifier interface {
	// Verify asks the server token.Server to which of its users the token belongs,
	// and returns this user. If claimed is a different user, Verify returns an
	// error, except if claimed is the zero UserID. The argument from is the network
	// of the client; it is zero if the network is unknown. Errors are
	// *[matrix.VerifyError].
	Verify(ctx context.Context, token matrix.OpenIDToken, claimed matrix.UserID, from netip.Prefix) (matrix.UserID, error)
}

// Membership says who is joined to a Matrix room. An error means that the
// answer is unknown.
type Membership interface {
	IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error)
}

// Rooms makes sure that rooms exist on the SFU.
type Rooms interface {
	// Ensure waits until the room exists on the SFU. created reports whether
	// Ensure asked the SFU to create the room. Errors are *[sfu.Error].
	Ensure(ctx context.Context, room sfu.Room) (created bool, err error)
}

// Minter makes access tokens for the SFU.
type Minter interface {
	// Mint returns an access token for grant. Mint seals the ticket and puts it
	// into the token. The SFU keeps the sealed ticket with the participant.
	Mint(grant token.Grant, carried ticket.Ticket, now time.Time) string
}

// Authorizer gives callers what they are entitled to. Its fields must not
// change after the first use.
type Authorizer struct {
	Verifier Verifier
	Rooms    Rooms
	Minter   Minter
	// Membership says who is joined. To find out, it asks the homeserver that
	// proxies requests to this service, or a homeserver on which this service
	// has an account. Membership is nil if there is no such homeserver.
	Membership Membership
	// Remote asks other homeservers for access tokens for their SFUs. It is nil if
	// no homeserver proxies requests to this service.
	Remote Remote

	// FullAccess reports whether users of a server may create rooms on the SFU.
	// FullAccess and CanPublish are only called with the server of a verified user.
	FullAccess func(matrix.ServerName) bool
	// CanPublish reports whether users of a server without full access may
	// publish. Users of a server with full access may always publish.
	CanPublish func(matrix.ServerName) bool
	// MustBeJoined reports whether users of a server who ask with an OpenID token
	// must be joined to the Matrix room. If MustBeJoined is nil, they do not need
	// to be joined. A user who comes through a homeserver must always be joined.
	MustBeJoined func(matrix.ServerName) bool
	// AllowUnseen is about Matrix rooms that the service's account is not in. The
	// account cannot find out who is joined to such a room ([matrix.ErrNotInRoom]). If
	// AllowUnseen is true, users who must be joined get a token for such a room
	// nevertheless. If it is false, the service refuses them.
	AllowUnseen bool
	// LearnMembership says whether the service also asks Membership about users who
	// do not need to be joined. The service puts the answer into their tickets, and
	// never refuses a request because of the answer.
	LearnMembership bool
	// Issuer identifies this service in every ticket.
	Issuer ticket.Issuer
	// CanUpdateOwnMetadata is the value of the permission canUpdateOwnMetadata
	// in every token.
	CanUpdateOwnMetadata bool
	// Named reports whether the operator named a server in the configuration.
	Named func(matrix.ServerName) bool
	// Delegation takes over leaves; nil if delegation is switched off.
	Delegation *Delegation

	// Users limits the requests of users who have proven who they are. Failures limits
	// the failed verifications of client networks. Origins limits the requests of other
	// homeservers. The zero Limiter means no limit.
	Users    ratelimit.Limiter[matrix.UserID]
	Failures ratelimit.Limiter[netip.Prefix]
	Origins  ratelimit.Limiter[matrix.ServerName]

	Metrics metrics.Metrics
}

// Admission is the result of a request. If the request fails, the Admission
// holds what the service found out before the failure.
type Admission struct {
	User matrix.UserID // the user who asks; zero until proven
	Room sfu.Room
	// RoomNotMade says that the user may not create the room, so no room was
	// created. The user can still join the room if it exists.
	RoomNotMade bool
	Leave       *Leave // the leave that the client hands over; nil for none
	Token       string // the access token for the SFU
}

// The most time that each part of a request may take.
const (
	ensureTime    = 10 * time.Second // making sure of the SFU's room; also looking up the leave
	clientAPITime = 3 * time.Second  // asking whether the homeserver's delayed events can be managed
)

// Token finds out who asks and what they may do, and returns an access token
// for the SFU. If the request hands over a leave, Token also takes it over.
func (a *Authorizer) Token(ctx context.Context, who Proof, what Request) (Admission, error) {
	var got Admission
	if what.Leave != nil && !a.Delegation.Offered() {
		return got, &DelegationError{Cause: DelegationOff}
	}
	ctx = onBehalf(ctx, who)
	found, err := a.identify(ctx, who, what)
	user := found.user
	got.User = user
	if err != nil {
		return got, err
	}
	identity, err := what.identity(user)
	if err != nil {
		return got, err
	}
	mine, learned := a.rights(who, user), a.learn(ctx, found, what.Room)
	defer learned.end()
	if what.Leave != nil {
		if err := a.mayDelegate(ctx, mine, user.Server(), what.By); err != nil {
			return got, err
		}
	}
	got.Room, got.RoomNotMade = what.LiveKitRoom(), !mine.makeRoom
	if mine.makeRoom {
		if err := a.ensureRoom(ctx, got.Room, what.By); err != nil {
			return got, err
		}
	}
	joined := learned.joined()
	now := time.Now()
	got.Token = a.Minter.Mint(token.Grant{
		Room: got.Room, Identity: identity,
		CanPublish: mine.publish, CanUpdateOwnMetadata: a.CanUpdateOwnMetadata,
	}, ticket.Ticket{
		Issuer: a.Issuer, Room: what.Room, User: user, By: who.way(),
		Joined: joined, Issued: now,
	}, now)
	if what.Leave == nil {
		return got, nil
	}
	got.Leave = what.Leave
	return got, a.takeOver(ctx, user, got.Room, identity, *what.Leave)
}

// Delegate takes over the leave of the request, and makes no token.
func (a *Authorizer) Delegate(ctx context.Context, who Proof, what Request) (Admission, error) {
	ctx = onBehalf(ctx, who)
	found, err := a.identify(ctx, who, what)
	user := found.user
	got := Admission{User: user}
	if err != nil {
		return got, err
	}
	if err := a.mayDelegate(ctx, a.rights(who, user), user.Server(), what.By); err != nil {
		return got, err
	}
	identity, err := what.identity(user)
	if err != nil {
		return got, err
	}
	handed := *what.Leave
	if _, proxied := who.(Proxied); proxied {
		if handed.Delay, err = a.lookUp(ctx, user, what); err != nil {
			return got, err
		}
	}
	got.Room, got.Leave = what.LiveKitRoom(), &handed
	return got, a.takeOver(ctx, user, got.Room, identity, handed)
}

// rights are what a user may do. They depend on the user's server, and on how
// this service knows who the user is (see Proof).
type rights struct{ makeRoom, publish, delegate bool }

// rights returns the rights of user, who is the proven user:
//
//   - A user of the homeserver that proxies requests (Proxied) has all rights,
//     because this homeserver vouches for its own users.
//   - For a user of a different homeserver whose request comes through the
//     homeserver that proxies requests (Federated), the service creates the room,
//     but takes over no leave.
//   - For a user with an OpenID token, the service creates the room and takes
//     over a leave only if the user's server has full access. Otherwise the
//     user can join only a room that exists.
func (a *Authorizer) rights(who Proof, user matrix.UserID) rights {
	switch who.(type) {
	case Proxied:
		return rights{makeRoom: true, publish: true, delegate: true}
	case Federated:
		return rights{makeRoom: true, publish: a.FullAccess(user.Server()) || a.CanPublish(user.Server())}
	}
	full := a.FullAccess(user.Server())
	return rights{makeRoom: full, publish: full || a.CanPublish(user.Server()), delegate: full}
}

// ensureRoom makes sure that the room exists on the SFU, within ensureTime. If
// the SFU does not confirm that the room exists, the error is a *[RoomError],
// and the client gets no token.
func (a *Authorizer) ensureRoom(ctx context.Context, room sfu.Room, by time.Time) error {
	ctx, cancel := bounded(ctx, ensureTime, by)
	defer cancel()
	created, err := a.Rooms.Ensure(ctx, room)
	if err != nil {
		a.Metrics.RoomFailed()
		return &RoomError{err}
	}
	a.Metrics.RoomEnsured(created)
	return nil
}

// bounded returns a context that ends with ctx, and at the latest at the time in
// the parameter by. The parameter most is the longest time that the caller's work
// takes. If this time is over before by, bounded returns ctx unchanged. That saves
// a new context, which would cost 2 µs per request.
func bounded(ctx context.Context, most time.Duration, by time.Time) (context.Context, context.CancelFunc) {
	if time.Until(by) >= most {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, by)
}
