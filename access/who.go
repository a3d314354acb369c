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

// Proof says who asks, and why to believe it: an [OpenID] token, or the word of
// the homeserver at which this service is registered ([Proxied], [Federated]).
type Proof interface {
	// prove returns the user who asks.
	prove(ctx context.Context, a *Authorizer, by time.Time) (matrix.UserID, error)
	// mustBeJoined reports whether user, who is proven, has to be in the Matrix
	// room.
	mustBeJoined(a *Authorizer, user matrix.UserID) bool
	// way is how this proof came.
	way() ticket.Way
}

// OpenID is a token that the client got from its homeserver.
type OpenID struct {
	Token matrix.OpenIDToken
	// Claimed is the user of whom the request speaks; zero if it names none.
	Claimed matrix.UserID
	// Client is the client's address, the zero Addr if nobody knows it.
	Client netip.Addr
}

// Proxied is a user of the homeserver that proxies requests here, which has
// authenticated them.
type Proxied struct{ User matrix.UserID }

// Federated is a user of another homeserver, for whom that server asks through
// ours.
type Federated struct {
	User   matrix.UserID
	Origin matrix.ServerName // who asks, authenticated
}

func (OpenID) mustBeJoined(a *Authorizer, user matrix.UserID) bool {
	return a.MustBeJoined != nil && a.MustBeJoined(user.Server())
}
func (Proxied) mustBeJoined(*Authorizer, matrix.UserID) bool   { return true }
func (Federated) mustBeJoined(*Authorizer, matrix.UserID) bool { return true }

func (OpenID) way() ticket.Way    { return ticket.OpenID }
func (Proxied) way() ticket.Way   { return ticket.Proxied }
func (Federated) way() ticket.Way { return ticket.Federated }

// onBehalf has what is asked at homeservers count for the client's network.
func onBehalf(ctx context.Context, who Proof) context.Context {
	if o, ok := who.(OpenID); ok {
		return outbound.For(ctx, outbound.Asker{Network: site(o.Client)})
	}
	return ctx
}

// identifyTime is what a verification takes at most: the longest
// LIVEKIT_OPENID_TIMEOUT, and the wait for the limit of failures.
const identifyTime = maxSlowdown + 20*time.Second

// prove has the user's homeserver say who they are.
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

// prove checks that a server speaks of its own users alone.
func (f Federated) prove(context.Context, *Authorizer, time.Time) (matrix.UserID, error) {
	if f.User.Server() != f.Origin {
		return matrix.UserID{}, ErrForeignUser
	}
	return f.User, nil
}

// standing is who asks, and what was found out about whether they are joined.
type standing struct {
	user matrix.UserID // proven
	// asked says that the homeserver was asked, joined what it said.
	asked, joined bool
}

// identify returns the user who asks, if they may ask at all: within the limit,
// and joined to the room where that is required.
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
		err = fmt.Errorf("%w: %s", err, what.Room) // the account has to join it
	}
	return s, err
}

// learnTime is how long a request waits for an answer that it does not need.
const learnTime = time.Second

// learned is whether a user is joined, as far as that becomes known.
type learned struct {
	known  bool        // it is known that they are
	answer <-chan bool // nil if nobody is asked any more
	end    context.CancelFunc
}

// learn finds out whether the user is joined to room, and returns at once; end
// must be called. About those who did not have to be the homeserver is asked where
// that can be done; its answer refuses nobody.
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

// joined waits for the answer. The question ends after learnTime.
func (l learned) joined() bool {
	if l.answer == nil {
		return l.known
	}
	return <-l.answer
}

// judged returns nil if the user is joined. Who is not, and who asks for a room
// that nobody knows, get the same answer.
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
