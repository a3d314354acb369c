// Package access decides what a proven caller gets: whether they are in the
// Matrix room, which LiveKit room and identity are theirs, what their token
// allows, and whether their leave is taken over. It knows no HTTP: it takes
// values, and returns what came of them or an error that says why not.
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

// Verifier says whose an OpenID token is.
type Verifier interface {
	// Verify returns the user whose token it is, always one of token.Server,
	// and the claimed one if claimed is not zero. from is the client's network,
	// the zero Prefix if nobody knows it. Errors are *[matrix.VerifyError].
	Verify(ctx context.Context, token matrix.OpenIDToken, claimed matrix.UserID, from netip.Prefix) (matrix.UserID, error)
}

// Membership says who is joined to a Matrix room. An error means: unknown.
type Membership interface {
	IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error)
}

// Rooms makes sure that rooms exist on the SFU.
type Rooms interface {
	// Ensure returns once the room exists. created reports that the SFU had to
	// be asked for this request; errors are *[sfu.Error].
	Ensure(ctx context.Context, room sfu.Room) (created bool, err error)
}

// Minter makes access tokens for the SFU.
type Minter interface {
	// Mint returns a token for grant, with carried sealed for its participant.
	Mint(grant token.Grant, carried ticket.Ticket, now time.Time) string
}

// Authorizer gives callers what they are entitled to. Its fields must not
// change after the first use.
type Authorizer struct {
	Verifier Verifier
	Rooms    Rooms
	Minter   Minter
	// Membership answers for the homeserver that proxies requests here, or for an
	// account; nil while neither does.
	Membership Membership
	// Remote asks other homeservers for tokens of their SFUs; nil while no
	// homeserver proxies requests here.
	Remote Remote

	// FullAccess says whose users may create rooms. It is asked for the
	// server of a verified user, as is CanPublish.
	FullAccess func(matrix.ServerName) bool
	// CanPublish says which other users may publish.
	CanPublish func(matrix.ServerName) bool
	// MustBeJoined says of which servers the users must be joined to the Matrix
	// room when they come with an OpenID token; nil: of none. Whoever comes
	// through a homeserver must be.
	MustBeJoined func(matrix.ServerName) bool
	// AllowUnseen says that they pass in rooms of which Membership knows nothing
	// because its account is not in them ([matrix.ErrNotInRoom]).
	AllowUnseen bool
	// LearnMembership says that Membership is asked about the others, too, for
	// their tickets; the answer refuses nobody.
	LearnMembership bool
	// Issuer is this service's mark in every ticket.
	Issuer ticket.Issuer
	// CanUpdateOwnMetadata goes into every token.
	CanUpdateOwnMetadata bool
	// Named says which servers the operator named.
	Named func(matrix.ServerName) bool
	// Delegation takes over leaves; nil while that is switched off.
	Delegation *Delegation

	// Users limits the requests of proven users, Failures the failed
	// verifications of client networks, Origins the requests of other
	// homeservers. nil: no limit.
	Users    *ratelimit.Limiter[matrix.UserID]
	Failures *ratelimit.Limiter[netip.Prefix]
	Origins  *ratelimit.Limiter[matrix.ServerName]

	Metrics metrics.Metrics
}

// Admission is what came of a request. With an error it holds what was known
// by then.
type Admission struct {
	User matrix.UserID // proven
	Room sfu.Room
	// RoomNotMade says that the room is not made for this user: they can join
	// one that is there.
	RoomNotMade bool
	Leave       *Leave // taken over, or to be
	Token       string // the SFU's access token
}

// What the parts of a request take at most by themselves.
const (
	ensureTime    = 10 * time.Second
	clientAPITime = 3 * time.Second
)

// Token returns a token for the SFU: first it finds out who asks, then what
// they get. A leave that comes along is taken over.
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

// Delegate takes over a leave without a token.
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

// rights are what a user may do, by who they are and who says so.
type rights struct{ makeRoom, publish, delegate bool }

// rights returns the user's. A homeserver that proxies requests vouches for its
// own users, and for the rooms in which users of others are.
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

// bounded returns a context that ends at by, for something that takes at most
// most by itself: ctx, unless the request is late already. (A context of its
// own for every request costs 2 µs.)
func bounded(ctx context.Context, most time.Duration, by time.Time) (context.Context, context.CancelFunc) {
	if time.Until(by) >= most {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, by)
}
