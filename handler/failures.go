package handler

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

// site is what shares the discoveries of servers: one IPv4 address, or the /48
// that an IPv6 subscriber has at most. It is wider than [network], because the
// shares are wide as long as nobody else needs them.
func site(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 48
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
// Nowhere is a homeserver's own trouble the client's failure.
func (h *Handler) limitFailures(ctx context.Context, client netip.Addr, server matrix.ServerName) (settle func(error), err error) {
	from := network(client)
	if h.Named(server) {
		h.slowDown(ctx, from)
		return func(err error) {
			if isFailure(err) {
				h.Failures.Charge(from)
			}
		}, nil
	}
	if wait := h.Failures.Take(from); wait > 0 {
		h.Metrics.RateLimited(metrics.AddressRefused)
		return nil, &limitError{kind: metrics.AddressRefused, wait: wait}
	}
	return func(err error) {
		if !isFailure(err) {
			h.Failures.Return(from)
		}
	}, nil
}

// isFailure reports whether the outcome of a verification speaks against the
// client.
func isFailure(err error) bool {
	e, ok := errors.AsType[*matrix.VerifyError](err)
	return err != nil && !(ok && e.SparesClient())
}

// slowDown waits until the address has a permit again, or ctx ends.
func (h *Handler) slowDown(ctx context.Context, from netip.Prefix) {
	wait := min(h.Failures.Wait(from), maxSlowdown)
	if wait <= 0 {
		return
	}
	h.Metrics.RateLimited(metrics.AddressSlowed)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
