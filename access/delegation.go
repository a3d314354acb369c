package access

import (
	"context"
	"errors"
	"slices"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Delegation takes over the delayed leave events of clients (MSC4195). Its
// fields must not change after the first use.
type Delegation struct {
	Events Events
	Keeper Keeper
	Limits leave.Limits
	// Now returns the time of the clock that Keeper uses; nil means time.Now.
	Now func() time.Time
	// Everyone says that the users of every server may hand over leaves. If it is
	// false, only users of Servers may do so.
	Everyone bool
	Servers  []matrix.ServerName
}

// Events looks up delayed events, and says whether this service can manage
// them.
type Events interface {
	// Manageable returns an error if it is known that this service cannot
	// manage delayed events of server: [matrix.ErrNeedsToken] or a
	// *[matrix.ClientAPIError]. Otherwise it returns nil.
	Manageable(ctx context.Context, server matrix.ServerName) error
	// Refuses reports whether server requires authentication to manage delayed
	// events.
	Refuses(server matrix.ServerName) bool
	// LookUp returns a delayed event of owner. Errors are *[matrix.DelayError].
	// ResultGone says that owner has no such event.
	LookUp(ctx context.Context, owner matrix.UserID, id matrix.DelayID) (matrix.DelayedEvent, error)
}

// Keeper keeps the leaves that this service takes over. Its method returns
// within a second.
type Keeper interface {
	// Delegate stores job. When it returns nil, job is stored durably. A
	// *[leave.LimitError] says that a limit was reached.
	Delegate(ctx context.Context, job leave.Job, limits leave.Limits) error
}

func (d *Delegation) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// Offered reports whether this service takes over leaves for the users of at
// least one server. It returns false if delegation is off, or if every server
// in Servers requires authentication (401 M_MISSING_TOKEN). Clients find this
// out with a request that names no user: the answer 404 means no, and every
// other answer means yes.
func (d *Delegation) Offered() bool {
	if d == nil {
		return false
	}
	return d.Everyone || slices.ContainsFunc(d.Servers, func(s matrix.ServerName) bool { return !d.Events.Refuses(s) })
}

// mayDelegate returns nil if this service can take over a leave of a user of
// server, else a *[DelegationError]. A server that does not answer is no error
// if the operator named it in the configuration, because the keeper asks it
// again later.
func (a *Authorizer) mayDelegate(ctx context.Context, mine rights, server matrix.ServerName, by time.Time) error {
	if a.Delegation == nil {
		return &DelegationError{Cause: DelegationOff}
	}
	if !mine.delegate {
		return &DelegationError{Cause: DelegationAccess}
	}
	ctx, cancel := context.WithDeadline(ctx, sooner(time.Now().Add(clientAPITime), by))
	defer cancel()
	err := a.Delegation.Events.Manageable(ctx, server)
	if errors.Is(err, matrix.ErrNeedsToken) {
		return &DelegationError{Cause: DelegationNeedsToken, Err: err}
	}
	e, unanswered := errors.AsType[*matrix.ClientAPIError](err)
	if err == nil || unanswered && !e.Definite && a.Named(server) {
		return nil
	}
	return &DelegationError{Cause: DelegationClientAPI, Err: err}
}

// lookUp asks the homeserver for the delay of the leave, and returns that
// delay. The delayed event must belong to user and to the Matrix room of the
// request. If it does not, the error has the cause DelegationUnknown. If the
// delay is shorter than leave.MinDelay, the cause is DelegationShort. A delay
// longer than leave.MaxDelay counts as leave.MaxDelay.
func (a *Authorizer) lookUp(ctx context.Context, user matrix.UserID, what Request) (time.Duration, error) {
	ctx, cancel := context.WithDeadline(ctx, sooner(time.Now().Add(ensureTime), what.By))
	defer cancel()
	event, err := a.Delegation.Events.LookUp(ctx, user, what.Leave.ID)
	switch {
	case err != nil && matrix.ResultOf(err) == matrix.ResultGone:
		return 0, &DelegationError{Cause: DelegationUnknown, Err: err}
	case err != nil:
		return 0, &DelegationError{Cause: DelegationLookUp, Err: err}
	case event.Room != what.Room.String():
		return 0, &DelegationError{Cause: DelegationUnknown, Err: errors.New("the delayed event belongs to another Matrix room")}
	case event.Delay < leave.MinDelay:
		return 0, &DelegationError{Cause: DelegationShort}
	}
	return min(event.Delay, leave.MaxDelay), nil
}

// takeOver hands the leave l of a participant to the keeper, which stores it.
// takeOver does not check to whom the event l.ID belongs. If the request came
// through the homeserver, lookUp has checked that before.
func (a *Authorizer) takeOver(ctx context.Context, user matrix.UserID, room sfu.Room, identity sfu.Identity, l Leave) error {
	job := leave.New(leave.Key{Room: room, Identity: identity}, user, l.ID, l.Delay, a.Delegation.now())
	err := a.Delegation.Keeper.Delegate(context.WithoutCancel(ctx), job, a.Delegation.Limits)
	if limit, ok := errors.AsType[*leave.LimitError](err); ok {
		a.Metrics.DelegationRefused(limit.Limit)
		return &DelegationError{Cause: DelegationLimit, Err: limit}
	}
	if err != nil {
		return &StoreError{err}
	}
	return nil
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
