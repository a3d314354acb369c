package access

import (
	"context"
	"net/netip"
	"time"

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

// identify returns the user who asks, if they may ask at all: within the limit,
// and joined to the room where that is required.
func (a *Authorizer) identify(ctx context.Context, who Proof, what Request) (matrix.UserID, error) {
	user, err := who.prove(ctx, a, what.By)
	if err != nil {
		return matrix.UserID{}, err
	}
	if err := a.limit(ctx, who, user); err != nil {
		return user, err
	}
	if !who.mustBeJoined(a, user) {
		return user, nil
	}
	return user, a.isJoined(ctx, what.Room, user)
}

// learnTime is how long a request waits for an answer that it does not need.
const learnTime = time.Second

// learned is whether a user is joined, as far as that becomes known.
type learned struct {
	known  bool        // they had to be
	answer <-chan bool // nil if nobody was asked
	end    context.CancelFunc
}

// learn finds out whether user is joined to room, and returns at once; end must
// be called. Who had to be joined is. About the others the homeserver is asked
// where that can be done; its answer refuses nobody.
func (a *Authorizer) learn(ctx context.Context, who Proof, room matrix.RoomID, user matrix.UserID) learned {
	if !a.LearnMembership || who.mustBeJoined(a, user) {
		return learned{known: who.mustBeJoined(a, user), end: func() {}}
	}
	ctx, end := context.WithTimeout(ctx, learnTime)
	answer := make(chan bool, 1)
	go func() {
		joined, err := a.Membership.IsJoined(ctx, room, user)
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

// isJoined returns nil if user is joined to room. Who is not, and who asks for
// a room that nobody knows, get the same answer.
func (a *Authorizer) isJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) error {
	return judged(a.Membership.IsJoined(ctx, room, user))
}

func judged(joined bool, err error) error {
	switch {
	case err != nil:
		return &MembershipError{err}
	case !joined:
		return ErrNotJoined
	}
	return nil
}
