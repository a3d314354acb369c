package access

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
)

// NewFailureLimiter returns the limit of failed verifications per client
// network: enough for a household whose clients hold stale tokens, few enough
// that nobody searches networks or floods a homeserver through us.
func NewFailureLimiter() *ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 60, Burst: 60})
}

// NewOriginLimiter returns the limit of one other homeserver, whose users all
// come through it: a large conference that starts within seconds fits.
func NewOriginLimiter() *ratelimit.Limiter[matrix.ServerName] {
	return ratelimit.New[matrix.ServerName](ratelimit.Limit{PerMinute: 3000, Burst: 1000})
}

// site is what shares the discoveries of servers: one IPv4 address, or the /48
// that an IPv6 subscriber has at most. It is wider than what shares the limit of
// failures, because the shares are wide as long as nobody else needs them.
func site(client netip.Addr) netip.Prefix { return within(client, 48) }

// Network is what shares the limit of failures: one IPv4 address, or the /64
// that one IPv6 subscriber has at least.
func Network(client netip.Addr) netip.Prefix { return within(client, 64) }

// within returns the network of bits that an IPv6 client is in, or the one
// address of an IPv4 client.
func within(client netip.Addr, bits int) netip.Prefix {
	if !client.Is6() {
		bits = client.BitLen()
	}
	prefix, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero Addr: all whom nobody knows
	}
	return prefix
}

// maxSlowdown is the longest that a user of a named server waits for the
// failures of others at the same address.
const maxSlowdown = time.Second

// limitFailures applies the limit before a verification; settle must be called
// with its outcome.
//
// A stranger may name any server, so at one that the operator did not name a
// verification costs a permit up front, which success gives back: failures in
// flight count, too. The operator's own users share addresses (an office, a
// carrier's NAT) and must never be locked out by a neighbour: at named servers
// only failures cost, and being over the limit means to wait for a moment.
// Nowhere is a homeserver's own trouble the client's failure. So a client that
// left such a server after a second is spared: it may have tired of a slow answer.
// That is as long as somebody waits who floods the server and is over the limit.
func (a *Authorizer) limitFailures(ctx context.Context, client netip.Addr, server matrix.ServerName) (settle func(error), err error) {
	from := Network(client)
	if a.Named(server) {
		a.slowDown(ctx, from)
		began := time.Now()
		return func(err error) {
			if isFailure(err) && !(hasLeft(err) && time.Since(began) >= maxSlowdown) {
				a.Failures.Charge(from)
			}
		}, nil
	}
	if wait := a.Failures.Take(from); wait > 0 {
		a.Metrics.RateLimited(metrics.AddressRefused)
		return nil, &LimitError{Kind: metrics.AddressRefused, Wait: wait}
	}
	return func(err error) {
		if !isFailure(err) {
			a.Failures.Return(from)
		}
	}, nil
}

// isFailure reports whether the outcome of a verification speaks against the
// client.
func isFailure(err error) bool {
	e, ok := errors.AsType[*matrix.VerifyError](err)
	return err != nil && !(ok && e.SparesClient())
}

// hasLeft reports whether the client did not wait for the outcome.
func hasLeft(err error) bool {
	e, ok := errors.AsType[*matrix.VerifyError](err)
	return ok && e.Cause == matrix.CauseCanceled
}

// slowDown waits until the network has a permit again, or ctx ends.
func (a *Authorizer) slowDown(ctx context.Context, from netip.Prefix) {
	wait := min(a.Failures.Wait(from), maxSlowdown)
	if wait <= 0 {
		return
	}
	a.Metrics.RateLimited(metrics.AddressSlowed)
	pause(ctx, wait)
}

// maxFederatedWait is how long a request of another homeserver waits for the
// limits. That server asks four times when it gets a 429, so a short wait is
// cheaper for both.
const maxFederatedWait = 2 * time.Second

// limit spends one request of user, and of the homeserver that asks for them.
func (a *Authorizer) limit(ctx context.Context, who Proof, user matrix.UserID) error {
	f, federated := who.(Federated)
	if !federated {
		return a.refuse(a.Users.Take(user), metrics.UserRefused)
	}
	until := time.Now().Add(maxFederatedWait)
	wait := takeUntil(ctx, until, func() time.Duration { return a.Origins.Take(f.Origin) })
	if err := a.refuse(wait, metrics.OriginRefused); err != nil {
		return err
	}
	wait = takeUntil(ctx, until, func() time.Duration { return a.Users.Take(user) })
	return a.refuse(wait, metrics.UserRefused)
}

// refuse returns nil if there is nothing to wait for.
func (a *Authorizer) refuse(wait time.Duration, kind string) error {
	if wait == 0 {
		return nil
	}
	a.Metrics.RateLimited(kind)
	return &LimitError{Kind: kind, Wait: wait}
}

// takeUntil takes now, or once more when there may be something to take, if that
// is before until. It returns how long there is to wait still, 0 if it took.
func takeUntil(ctx context.Context, until time.Time, take func() time.Duration) (wait time.Duration) {
	wait = take()
	if wait == 0 || wait > time.Until(until) {
		return wait
	}
	pause(ctx, wait)
	return take()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
