package handler

import (
	"context"
	"errors"
	"slices"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/token"
)

// Delegation takes over the delayed leave events of clients (MSC4195). Its
// fields must not change after Routes.
type Delegation struct {
	Events Events
	Keeper Keeper
	Limits leave.Limits
	// Now is the time by the clock that Keeper goes by; nil for time.Now.
	Now func() time.Time
	// Everyone says that the users of every server may delegate, otherwise
	// those of Servers.
	Everyone bool
	Servers  []matrix.ServerName
}

// Events says whether delayed events can be managed.
type Events interface {
	// Manageable returns nil if those of server can be, as far as is known;
	// else [matrix.ErrNeedsToken] or a *[matrix.ClientAPIError].
	Manageable(ctx context.Context, server matrix.ServerName) error
	// Refuses reports whether server lets nobody manage them without
	// authentication.
	Refuses(server matrix.ServerName) bool
}

// Keeper keeps the leaves that are taken over. It answers within a second.
type Keeper interface {
	// Delegate keeps job, whatever happens, once it returns nil. A
	// *[leave.LimitError] says that it is one too many.
	Delegate(ctx context.Context, job leave.Job, limits leave.Limits) error
}

func (d *Delegation) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// offered reports whether anybody's leave would be taken over. Clients ask for
// that with a request that names nobody, and take every answer but 404 for a
// yes.
func (d *Delegation) offered() bool {
	if d == nil {
		return false
	}
	return d.Everyone || slices.ContainsFunc(d.Servers, func(s matrix.ServerName) bool { return !d.Events.Refuses(s) })
}

// clientAPITime is how long a request waits for a server's Client-Server API.
const clientAPITime = 3 * time.Second

// mayDelegate returns nil if a leave of a user of server can be taken over,
// else a *[delegationError]. That nobody answers is no refusal where the
// operator vouches for the server: the leave is kept, and the keeper goes on
// asking.
func (h *Handler) mayDelegate(ctx context.Context, x *exchange, server matrix.ServerName) error {
	if h.Delegation == nil {
		return &delegationError{cause: delegationOff}
	}
	if !h.FullAccess(server) {
		return &delegationError{cause: delegationAccess}
	}
	ctx, cancel := context.WithDeadline(ctx, sooner(time.Now().Add(clientAPITime), x.start.Add(requestTimeout)))
	defer cancel()
	err := h.Delegation.Events.Manageable(ctx, server)
	if errors.Is(err, matrix.ErrNeedsToken) {
		return &delegationError{cause: delegationNeedsToken, err: err}
	}
	e, unanswered := errors.AsType[*matrix.ClientAPIError](err)
	if err == nil || unanswered && !e.Definite && h.Named(server) {
		return nil
	}
	return &delegationError{cause: delegationClientAPI, err: err}
}

// takeOver keeps the leave of a participant.
func (h *Handler) takeOver(ctx context.Context, x *exchange, key leave.Key, d delegation) error {
	x.leave = &d
	job := leave.New(key, x.user, d.id, d.delay, h.Delegation.now())
	err := h.Delegation.Keeper.Delegate(context.WithoutCancel(ctx), job, h.Delegation.Limits)
	if limit, ok := errors.AsType[*leave.LimitError](err); ok {
		h.Metrics.DelegationRefused(limit.Limit)
		return &delegationError{cause: delegationLimit, err: limit}
	}
	if err != nil {
		return &storeError{err}
	}
	return nil
}

// delegate is POST /delegate_delayed_leave: a leave without a token.
func (h *Handler) delegate(ctx context.Context, x *exchange, body []byte) (empty, error) {
	who, what, err := decodeDelegate(body)
	if err != nil {
		return empty{}, err
	}
	user, err := h.identify(ctx, x, who)
	if err != nil {
		return empty{}, err
	}
	if err := h.limitUser(user); err != nil {
		return empty{}, err
	}
	if err := h.mayDelegate(ctx, x, user.Server()); err != nil {
		return empty{}, err
	}
	identity, err := what.identity(user)
	if err != nil {
		return empty{}, err
	}
	x.room = token.RoomName(what.room, what.slot)
	return empty{}, h.takeOver(ctx, x, leave.Key{Room: x.room, Identity: identity}, *what.leave)
}

// empty is the answer {}.
type empty struct{}

func (empty) appendJSON(b []byte) []byte { return append(b, "{}"...) }

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
