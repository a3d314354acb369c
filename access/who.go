package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
)

// Proof says who asks, and why this service believes it. The proof is an
// [OpenID] token, or a statement of the homeserver at which this service is
// registered ([Proxied], [Federated]).
type Proof interface {
	// prove returns the user who asks.
	prove(ctx context.Context, a *Authorizer, by time.Time) (matrix.UserID, error)
	// mustBeJoined reports whether the proven user must be joined to the Matrix
	// room.
	mustBeJoined(a *Authorizer, user matrix.UserID) bool
	// way returns how the request with this proof reached the service.
	way() ticket.Way
}

// OpenID is the proof by a token that the client got from its homeserver.
type OpenID struct {
	Token matrix.OpenIDToken
	// Claimed is the user whom the request names; zero if it names none.
	Claimed matrix.UserID
	// Client is the client's address; the zero Addr if it is unknown.
	Client netip.Addr
}

// Proxied is the proof for a user whose own homeserver forwards the request to this
// service. The homeserver has authenticated the user.
type Proxied struct{ User matrix.UserID }

// Federated is the proof for a user of another homeserver, the origin. The origin
// requests a token for its user from our homeserver, at which this service is
// registered. Our homeserver checks the origin's signature, and forwards the request.
// This service checks no signature.
type Federated struct {
	User   matrix.UserID
	Origin matrix.ServerName // the user's homeserver, which our homeserver has authenticated
}

// mustBeJoined reports whether the user must be joined to the Matrix room.
// LIVEKIT_REQUIRE_MEMBERSHIP says for which homeservers' users this is so.
func (OpenID) mustBeJoined(a *Authorizer, user matrix.UserID) bool {
	return a.MustBeJoined != nil && a.MustBeJoined(user.Server())
}

// mustBeJoined returns true, because a user who comes through a homeserver must
// always be joined.
func (Proxied) mustBeJoined(*Authorizer, matrix.UserID) bool   { return true }
func (Federated) mustBeJoined(*Authorizer, matrix.UserID) bool { return true }

func (OpenID) way() ticket.Way    { return ticket.OpenID }
func (Proxied) way() ticket.Way   { return ticket.Proxied }
func (Federated) way() ticket.Way { return ticket.Federated }

// onBehalf returns a context that holds the client's network. Requests to
// homeservers with this context count against the bounds of that network.
func onBehalf(ctx context.Context, who Proof) context.Context {
	if o, ok := who.(OpenID); ok {
		return outbound.For(ctx, outbound.Asker{Network: site(o.Client)})
	}
	return ctx
}

// identifyTime is the longest time of a verification. It is the sum of the
// longest wait because of earlier failures (maxSlowdown), and of the longest
// allowed LIVEKIT_OPENID_TIMEOUT.
const identifyTime = maxSlowdown + 20*time.Second

// prove asks the homeserver that issued the token to which user it belongs.
func (o OpenID) prove(ctx context.Context, a *Authorizer, by time.Time) (matrix.UserID, error) {
	ctx, cancel := bounded(ctx, identifyTime, by)
	defer cancel()
	settle, err := a.limitFailures(ctx, o.Client, o.Token.Server)
	if err != nil {
		return matrix.UserID{}, err
	}
	user, err := a.Verifier.Verify(ctx, o.Token, o.Claimed, site(o.Client))
	settle(err)
	if err != nil {
		a.Metrics.VerificationFailed(verifyCause(err))
		return matrix.UserID{}, err
	}
	a.Metrics.Verified()
	return user, nil
}

func (p Proxied) prove(context.Context, *Authorizer, time.Time) (matrix.UserID, error) {
	return p.User, nil
}

// prove checks that the user belongs to the server that asks for the user. If
// not, the error is ErrForeignUser (403).
func (f Federated) prove(context.Context, *Authorizer, time.Time) (matrix.UserID, error) {
	if f.User.Server() != f.Origin {
		return matrix.UserID{}, ErrForeignUser
	}
	return f.User, nil
}

// standing is the user who asks, and what is known about whether the user is
// joined.
type standing struct {
	user matrix.UserID // the proven user
	// asked says that the service asked the homeserver whether the user is
	// joined. joined is the homeserver's answer.
	asked, joined bool
}

// identify returns the user who asks. It fails if the user is over a limit, or
// is not joined to the room although the user must be joined.
func (a *Authorizer) identify(ctx context.Context, who Proof, what Request) (standing, error) {
	user, err := who.prove(ctx, a, what.By)
	if err != nil {
		return standing{}, err
	}
	s := standing{user: user}
	if err := a.limit(ctx, who, user); err != nil {
		return s, err
	}
	if !who.mustBeJoined(a, user) {
		return s, nil
	}
	s.asked = true
	s.joined, err = a.Membership.IsJoined(ctx, what.Room, user)
	if a.AllowUnseen && errors.Is(err, matrix.ErrNotInRoom) { // allowed by LIVEKIT_MEMBERSHIP_UNKNOWN=allow; by default the error is ErrUnseen (403)
		s.joined = false
		return s, nil
	}
	err = judged(s.joined, err)
	if errors.Is(err, ErrUnseen) {
		err = fmt.Errorf("%w: %s", err, what.Room) // the text tells the operator which room the account must join
	}
	return s, err
}

// learnTime is how long a request waits for the homeserver to say whether the
// user is joined, if the answer is needed only for the ticket.
const learnTime = time.Second

// learned is the answer to the question whether a user is joined. The answer may
// still be on its way.
type learned struct {
	known  bool        // the user is known to be joined
	answer <-chan bool // receives the homeserver's answer; nil if learn did not ask the homeserver
	end    context.CancelFunc
}

// learn returns immediately. The method joined of the result tells whether the
// user is joined to room. If LearnMembership is on, and the service has not yet
// asked the homeserver about the user, learn asks it in the background, and
// joined waits for the answer. The caller must call end of the result when it
// no longer needs the answer. The service refuses no request because of this
// answer.
func (a *Authorizer) learn(ctx context.Context, s standing, room matrix.RoomID) learned {
	if !a.LearnMembership || s.asked {
		return learned{known: s.joined, end: func() {}}
	}
	ctx, end := context.WithTimeout(ctx, learnTime)
	answer := make(chan bool, 1)
	go func() {
		joined, err := a.Membership.IsJoined(ctx, room, s.user)
		answer <- joined && err == nil
	}()
	return learned{answer: answer, end: end}
}

// joined waits for the answer for at most learnTime, and reports whether the
// user is known to be joined.
func (l learned) joined() bool {
	if l.answer == nil {
		return l.known
	}
	return <-l.answer
}

// judged turns an answer about the membership of a user or a server into an
// error. It returns nil if joined is true, else [ErrNotJoined]. It returns
// [ErrUnseen] if the account with which the service asks is not in the room,
// and a *[MembershipError] if there was no answer.
func judged(joined bool, err error) error {
	switch {
	case errors.Is(err, matrix.ErrNotInRoom):
		return ErrUnseen
	case err != nil:
		return &MembershipError{err}
	case !joined:
		return ErrNotJoined
	}
	return nil
}
