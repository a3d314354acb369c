package matrix

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// again looks afresh for a server at whose destination err was all that came,
// and reports whether there is another destination. While that is found out,
// other requests go on using the old one, unless nobody was reached there.
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
		c.discoveries.Hint(ctx, server, from, find) // for the requests to come
		return Destination{}, false
	}
	found, failed := c.discoveries.Ask(ctx, server, from, find)
	return found.destination, failed == nil && found.err == nil && !found.destination.same(used)
}

// doubt returns what is left of f when its destination did not do: the answers
// that led there are to be asked for again. If it is gone, nobody uses it until
// then.
func (f *found) doubt(gone bool) *found {
	doubted := *f
	doubted.doubted, doubted.validTo, doubted.kept = true, time.Time{}, false
	if gone {
		doubted.expires = time.Time{}
	}
	return &doubted
}

// mayHaveMoved reports whether err is a reason to look for the server afresh: at
// a server that the operator named, whatever is no homeserver's answer; at
// another one that nobody was reached, for its owner must not choose how often
// it is looked for.
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

// unreachable reports whether err says that nobody was reached, as when a
// server has moved; not that we would not let ourselves connect, or could not.
func unreachable(err error) bool {
	_, ok := errors.AsType[*outbound.DialError](err)
	_, refused := errors.AsType[*outbound.RefusedError](err)
	_, crowded := errors.AsType[*outbound.CrowdedError](err)
	return ok && !refused && !crowded && !outbound.IsNoFile(err)
}
