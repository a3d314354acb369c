package handler

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// tokenRequest is what every token endpoint does once it has a decoder: first
// it finds out who is asking, then what they get.
func (h *Handler) tokenRequest(ctx context.Context, x *exchange, decode decoder, body []byte) (tokenAnswer, error) {
	who, what, err := decode(body)
	if err != nil {
		return tokenAnswer{}, err
	}
	if what.leave != nil && !h.Delegation.offered() {
		return tokenAnswer{}, &delegationError{cause: delegationOff, onToken: true}
	}
	user, err := h.identify(ctx, x, who)
	if err != nil {
		return tokenAnswer{}, err
	}
	answer, err := h.admit(ctx, x, user, what)
	if e, ok := errors.AsType[*delegationError](err); ok {
		e.onToken = true
	}
	return answer, err
}

// What the parts of a request take at most by themselves.
const (
	identifyTime = maxSlowdown + 20*time.Second // the longest LIVEKIT_OPENID_TIMEOUT
	ensureTime   = 10 * time.Second
)

// identify has the asker's homeserver say who is asking.
func (h *Handler) identify(ctx context.Context, x *exchange, who asker) (matrix.UserID, error) {
	x.asker = who
	ctx, cancel := x.bounded(ctx, identifyTime)
	defer cancel()
	settle, err := h.limitFailures(ctx, x.client, who.token.Server)
	if err != nil {
		return matrix.UserID{}, err
	}
	user, err := h.Verifier.Verify(ctx, who.token, who.claimed, site(x.client))
	settle(err)
	if err != nil {
		h.Metrics.VerificationFailed(verifyCause(err))
		return matrix.UserID{}, err
	}
	h.Metrics.Verified()
	x.user = user
	return user, nil
}

// admit gives a proven user what their server entitles them to. A user of a
// full-access server finds the room made; others can only join one that is.
func (h *Handler) admit(ctx context.Context, x *exchange, user matrix.UserID, what call) (tokenAnswer, error) {
	if err := h.limitUser(user); err != nil {
		return tokenAnswer{}, err
	}
	identity, err := what.identity(user)
	if err != nil {
		return tokenAnswer{}, err
	}
	if what.leave != nil {
		if err := h.mayDelegate(ctx, x, user.Server()); err != nil {
			return tokenAnswer{}, err
		}
	}
	fullAccess := h.FullAccess(user.Server())
	grant := token.Grant{
		Room:                 token.RoomName(what.room, what.slot),
		Identity:             identity,
		CanPublish:           fullAccess || h.CanPublish(user.Server()),
		CanUpdateOwnMetadata: h.CanUpdateOwnMetadata,
	}
	x.room = grant.Room
	x.guest = !fullAccess
	if fullAccess {
		ctx, cancel := x.bounded(ctx, ensureTime)
		defer cancel()
		if err := h.ensureRoom(ctx, grant.Room); err != nil {
			return tokenAnswer{}, err
		}
	}
	answer := tokenAnswer{url: h.urlJSON, jwt: h.Minter.Mint(grant, time.Now())}
	if what.leave == nil {
		return answer, nil
	}
	return answer, h.takeOver(ctx, x, leave.Key{Room: grant.Room, Identity: identity}, *what.leave)
}

func (h *Handler) ensureRoom(ctx context.Context, room sfu.Room) error {
	created, err := h.Rooms.Ensure(ctx, room)
	if err != nil {
		h.Metrics.RoomFailed()
		return &roomError{err}
	}
	h.Metrics.RoomEnsured(created)
	return nil
}

// limitUser spends one of the verified user's requests.
func (h *Handler) limitUser(user matrix.UserID) error {
	if wait := h.Users.Take(user); wait > 0 {
		h.Metrics.RateLimited(metrics.UserRefused)
		return &limitError{kind: metrics.UserRefused, wait: wait}
	}
	return nil
}

// verifyCause is the label of a failed verification: one of the few of
// package matrix.
func verifyCause(err error) string {
	if e, ok := errors.AsType[*matrix.VerifyError](err); ok {
		return string(e.Cause)
	}
	return "internal"
}

// tokenAnswer is what a client needs to connect to the SFU.
type tokenAnswer struct {
	url string // as JSON
	jwt string // needs no escape
}

func (a tokenAnswer) appendJSON(b []byte) []byte {
	b = append(b, `{"url":`...)
	b = append(b, a.url...)
	b = append(b, `,"jwt":"`...)
	b = append(b, a.jwt...)
	return append(b, `"}`...)
}
