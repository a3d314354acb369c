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

// NewFailureLimiter returns the limit of failed verifications for each client
// network. It is the only limit on requests per address. It is high enough for
// a household whose clients hold stale tokens. It is too low for a client that
// wants to scan networks or to flood a homeserver through this service.
func NewFailureLimiter() ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 60, Burst: 60})
}

// NewOriginLimiter returns the limit of requests for each other homeserver that
// asks for tokens for its users. A large conference that starts within seconds
// does not reach that limit.
func NewOriginLimiter() ratelimit.Limiter[matrix.ServerName] {
	return ratelimit.New[matrix.ServerName](ratelimit.Limit{PerMinute: 3000, Burst: 1000})
}

// site returns the network of client. The service bounds how many servers it
// looks up because of requests from one such network. The network is one IPv4
// address, or the largest network that an IPv6 subscriber has (/48). With the
// /64 of [Network], one subscriber could count as 65,536 networks and use the
// limit of each.
func site(client netip.Addr) netip.Prefix { return within(client, 48) }

// Network returns the network of client for which this service limits failed
// verifications: one IPv4 address, or the smallest network that an IPv6
// subscriber has (/64).
func Network(client netip.Addr) netip.Prefix { return within(client, 64) }

// within returns the network of client. For IPv6, bits is the length of the
// network's prefix. For IPv4, the network is the client's one address.
func within(client netip.Addr, bits int) netip.Prefix {
	if !client.Is6() {
		bits = client.BitLen()
	}
	prefix, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // client has no address; all such clients share one network
	}
	return prefix
}

// maxSlowdown is about users of servers that the operator named. It is the
// longest time that such a user waits because other clients at the same address
// failed to prove themselves.
const maxSlowdown = time.Second

// limitFailures applies the limit of failed verifications before a
// verification. The caller must call settle with the verification's error.
//
// A stranger may name any server. So at a server that the operator did not
// name, every verification takes a permit before it starts, and gives the
// permit back if it succeeds. Without a permit, the client gets a
// *[LimitError].
//
// The operator's own users may share an address with strangers, for example in
// an office. Strangers must never lock these users out. So at a named server,
// only a failure takes a permit. If there is no permit, users only wait for a
// moment (slowDown).
//
// These errors do not count as failures of the client:
//
//   - a homeserver's own trouble
//   - at a named server, a disconnection of the client after the verification
//     has taken a second, because the server may be too slow
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

// isFailure reports whether the error of a verification counts as a failure of
// the client.
func isFailure(err error) bool {
	e, ok := errors.AsType[*matrix.VerifyError](err)
	return err != nil && !(ok && e.SparesClient())
}

// hasLeft reports whether the client disconnected before the verification
// ended.
func hasLeft(err error) bool {
	e, ok := errors.AsType[*matrix.VerifyError](err)
	return ok && e.Cause == matrix.CauseCanceled
}

// slowDown waits until the given network has a permit again. It waits for at
// most maxSlowdown, and returns earlier if ctx ends.
func (a *Authorizer) slowDown(ctx context.Context, from netip.Prefix) {
	wait := min(a.Failures.Wait(from), maxSlowdown)
	if wait <= 0 {
		return
	}
	a.Metrics.RateLimited(metrics.AddressSlowed)
	timing.Sleep(ctx, wait)
}

// maxFederatedWait is how long a request of another homeserver waits for a
// permit before it gets 429. After a 429, that homeserver would repeat its
// request four times, which costs more than a short wait.
const maxFederatedWait = 2 * time.Second

// limit counts one request of user. If another homeserver asks for the user,
// limit also counts one request of that homeserver. If the user or the
// homeserver is over the limit, the error is a *[LimitError] (429
// M_LIMIT_EXCEEDED, with the wait as Retry-After).
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

// refuse returns a *[LimitError] of this kind, or nil if wait is 0.
func (a *Authorizer) refuse(wait time.Duration, kind string) error {
	if wait == 0 {
		return nil
	}
	a.Metrics.RateLimited(kind)
	return &LimitError{Kind: kind, Wait: wait}
}

// takeUntil calls take, which tries to take a permit and returns how long to
// wait for one. If that wait ends before the given deadline, takeUntil waits
// and calls take once more. takeUntil returns the wait that remains, or 0 if
// take got a permit.
func takeUntil(ctx context.Context, until time.Time, take func() time.Duration) (wait time.Duration) {
	wait = take()
	if wait == 0 || wait > time.Until(until) {
		return wait
	}
	timing.Sleep(ctx, wait)
	return take()
}
