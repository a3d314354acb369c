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

// Proof says who asks, and why this service believes it: an [OpenID] token, or
// the word of the homeserver at which this service is registered ([Proxied],
// [Federated]).
type Proof interface {
	// prove returns the user who asks.
	prove(ctx context.Context, a *Authorizer, by time.Time) (matrix.UserID, error)
	// mustBeJoined reports whether the proven user must be joined to the Matrix
	// room.
	mustBeJoined(a *Authorizer, user matrix.UserID) bool
	// way returns how this proof reached the service.
	way() ticket.Way
}

// OpenID is a token that the client got from its homeserver.
type OpenID struct {
	Token matrix.OpenIDToken
	// Claimed is the user that the request names; zero if it names none.
	Claimed matrix.UserID
	// Client is the client's address; the zero Addr if it is unknown.
	Client netip.Addr
}

// Proxied is a user whom the homeserver that proxies requests to this service
// has authenticated.
type Proxied struct{ User matrix.UserID }

// Federated is a user of another homeserver, which asks for them through the
// homeserver at which this service is registered.
type Federated struct {
	User   matrix.UserID
	Origin matrix.ServerName // the authenticated server that asks
}

func (OpenID) mustBeJoined(a *Authorizer, user matrix.UserID) bool {
	return a.MustBeJoined != nil && a.MustBeJoined(user.Server())
}
func (Proxied) mustBeJoined(*Authorizer, matrix.UserID) bool   { return true }
func (Federated) mustBeJoined(*Authorizer, matrix.UserID) bool { return true }

func (OpenID) way() ticket.Way    { return ticket.OpenID }
func (Proxied) way() ticket.Way   { return ticket.Proxied }
func (Federated) way() ticket.Way { return ticket.Federated }

// onBehalf returns a context in which requests to homeservers count for the
// client's network.
func onBehalf(ctx context.Context, who Proof) context.Context {
	if o, ok := who.(OpenID); ok {
		return outbound.For(ctx, outbound.Asker{Network: site(o.Client)})
	}
	return ctx
}

// identifyTime bounds a verification: the longest LIVEKIT_OPENID_TIMEOUT, and
// the wait for the limit of failures.
const identifyTime = maxSlowdown + 20*time.Second

// prove asks the user's homeserver who they are.
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

// prove checks that the user belongs to the server that asks.
func (f Federated) prove(context.Context, *Authorizer, time.Time) (matrix.UserID, error) {
	if f.User.Server() != f.Origin {
		return matrix.UserID{}, ErrForeignUser
	}
	return f.User, nil
}

// standing is who asks, and whether they are joined as far as that was asked.
type standing struct {
	user matrix.UserID // proven
	// asked says that the homeserver was asked; joined is its answer.
	asked, joined bool
}

// identify returns the user who asks. It fails if they are over a limit, or not
// joined to a room where that is required.
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
	if a.AllowUnseen && errors.Is(err, matrix.ErrNotInRoom) {
		s.joined = false
		return s, nil
	}
	err = judged(s.joined, err)
	if errors.Is(err, ErrUnseen) {
		err = fmt.Errorf("%w: %s", err, what.Room) // tells the operator which room the account must join
	}
	return s, err
}

// learnTime is how long a request waits for a membership answer that only its
// ticket needs.
const learnTime = time.Second

// learned says whether a user is joined, as soon as that is known.
type learned struct {
	known  bool        // the user is known to be joined
	answer <-chan bool // nil if no question is under way
	end    context.CancelFunc
}

// learn finds out whether the user is joined to room. It returns at once; the
// caller must call end. If the user need not be joined, it asks the homeserver
// in the background if it can. That answer refuses nobody.
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

// joined waits for the answer, for learnTime at most.
func (l learned) joined() bool {
	if l.answer == nil {
		return l.known
	}
	return <-l.answer
}

// judged returns nil if the user is joined. A user who is not joined gets the
// same error as for an unknown room.
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
