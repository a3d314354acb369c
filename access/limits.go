package access

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/matrix"
)

// NewFailureLimiter returns the limit of failed verifications per client
// network. It is the only limit on requests per address (handler/client.go says
// which address is the client's). It is enough for a household whose clients
// hold stale tokens. It is too little to scan networks or flood a homeserver
// through this service.
func NewFailureLimiter() ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 60, Burst: 60})
}

// NewOriginLimiter returns the limit per other homeserver, through which all
// its users ask. A large conference that starts within seconds stays below it.
func NewOriginLimiter() ratelimit.Limiter[matrix.ServerName] {
	return ratelimit.New[matrix.ServerName](ratelimit.Limit{PerMinute: 3000, Burst: 1000})
}

// site returns the network that shares the bounds on discoveries: one IPv4
// address, or the /48 that an IPv6 subscriber has at most. It is larger than
// [Network], because these bounds are generous until another network needs its
// part.
func site(client netip.Addr) netip.Prefix { return within(client, 48) }

// Network returns the network that shares the limit of failures: one IPv4
// address, or the /64 that an IPv6 subscriber has at least.
func Network(client netip.Addr) netip.Prefix { return within(client, 64) }

// within returns the network of an IPv6 client with that many bits, or the one
// address of an IPv4 client.
func within(client netip.Addr, bits int) netip.Prefix {
	if !client.Is6() {
		bits = client.BitLen()
	}
	prefix, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero Addr: all clients with an unknown address
	}
	return prefix
}

// maxSlowdown is how long a user of a named server waits at most because of
// others' failures at the same address.
const maxSlowdown = time.Second

// limitFailures applies the limit before a verification. The caller must call
// settle with the outcome.
//
// A stranger may name any server. So a verification at a server that the
// operator did not name takes a permit first, which success gives back:
// verifications under way count, too. The operator's own users may share
// addresses (an office, a carrier's NAT), and a neighbour must never lock them
// out. So at named servers only failures take a permit, and a network over the
// limit only waits a moment.
//
// A homeserver's own trouble never counts as a failure of the client. A client
// that disconnects from such a server after a second is not charged either, as
// the answer may just be slow. It is charged while its network is over the
// limit.
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

// isFailure reports whether the outcome of a verification counts against the
// client.
func isFailure(err error) bool {
	e, ok := errors.AsType[*matrix.VerifyError](err)
	return err != nil && !(ok && e.SparesClient())
}

// hasLeft reports whether the client disconnected before the outcome.
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
	timing.Sleep(ctx, wait)
}

// maxFederatedWait is how long a request of another homeserver waits for the
// limits. That server retries four times after a 429, so a short wait is
// cheaper for both sides.
const maxFederatedWait = 2 * time.Second

// limit counts one request of user, and of the homeserver that asks for them.
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

// refuse returns a *[LimitError] unless wait is 0.
func (a *Authorizer) refuse(wait time.Duration, kind string) error {
	if wait == 0 {
		return nil
	}
	a.Metrics.RateLimited(kind)
	return &LimitError{Kind: kind, Wait: wait}
}

// takeUntil calls take now. If take returns a wait that ends before until,
// takeUntil waits and calls take once more. It returns the remaining wait, 0 if
// take succeeded.
func takeUntil(ctx context.Context, until time.Time, take func() time.Duration) (wait time.Duration) {
	wait = take()
	if wait == 0 || wait > time.Until(until) {
		return wait
	}
	timing.Sleep(ctx, wait)
	return take()
}
