package matrix

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// again repeats the discovery of a server, because a request to its destination
// failed with err. It returns true if the new discovery found another
// destination. During the discovery, other requests use the old destination,
// unless err says that this service cannot reach it.
//
// The service repeats a discovery at most every 10 s for a server that the
// operator named, and every 2 min for any other server (failureRetry).
func (r *Resolver) again(ctx context.Context, c *class, server ServerName, used Destination, from netip.Prefix, err error) (Destination, bool) {
	if _, ok := r.Overrides[server]; ok || isExplicit(server) || !c.mayHaveMoved(ctx, err) {
		return Destination{}, false
	}
	known, ok := c.cache.Get(server)
	if ok && known.destination.same(used) {
		if time.Since(known.at) < c.failureRetry {
			return Destination{}, false
		}
		c.cache.Add(server, known.doubt(unreachable(err)))
	}
	find := func(ctx context.Context) discovery { return r.find(ctx, c, server) }
	if ctx.Err() != nil {
		c.discoveries.Hint(ctx, server, from, find) // later requests will use what this discovery finds
		return Destination{}, false
	}
	found, failed := c.discoveries.Ask(ctx, server, from, find)
	return found.destination, failed == nil && found.err == nil && !found.destination.same(used)
}

// doubt returns a copy of f, marked so that discovery must repeat all steps.
// The reason is that a request to the destination failed. If unreachable is
// true, no request uses the old destination until that discovery ends.
func (f *found) doubt(unreachable bool) *found {
	doubted := *f
	doubted.doubted, doubted.validTo, doubted.kept = true, time.Time{}, false
	if unreachable {
		doubted.expires = time.Time{}
	}
	return &doubted
}

// mayHaveMoved reports whether err is a reason to repeat the discovery. If the
// operator named the server, an error is a reason unless a homeserver sent it.
// At any other server, an error is a reason only if this service cannot reach
// the server. Otherwise the server's owner could choose how often this service
// repeats the discovery.
func (c *class) mayHaveMoved(ctx context.Context, err error) bool {
	e, ok := errors.AsType[*VerifyError](err)
	switch {
	case !ok || e.ByHomeserver || e.Cause == CauseCanceled || outbound.IsNoFile(err):
		return false
	case !c.isNamed:
		return unreachable(err) && ctx.Err() == nil
	}
	return e.Cause != CauseBusy && e.Cause != CauseRefused
}

// unreachable reports whether err says that this service cannot reach the
// server, for example because the server has moved to another address. It
// returns false if this service itself refused the connection, or had no
// capacity for it.
func unreachable(err error) bool {
	_, ok := errors.AsType[*outbound.DialError](err)
	_, refused := errors.AsType[*outbound.RefusedError](err)
	_, crowded := errors.AsType[*outbound.CrowdedError](err)
	return ok && !refused && !crowded && !outbound.IsNoFile(err)
}
