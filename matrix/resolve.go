package matrix

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/semaphore"
)

// The bounds of discovery, of its callers and of what is under way. Strangers
// choose names, so at their servers a client network can have no more than half
// of what all have, and the other half is for networks that have little: with 16
// networks that ask for as much as they can get, a fifth stays free.
//
// Discoveries go on when the clients that asked have left.
var (
	namedDiscoveries = semaphore.Bounds{Total: 256}
	otherDiscoveries = semaphore.Bounds{Total: 128, Share: 4}
	otherCallers     = semaphore.Bounds{Total: 384, Share: 8}
)

const (
	// locateLifetime bounds how long SRV answers hold: the system's resolver
	// does not tell their TTL.
	locateLifetime = time.Hour
	// resolveTimeout bounds one discovery, whoever waits for it.
	resolveTimeout = 8 * time.Second
	// cacheSize bounds the servers remembered; strangers choose the names, so
	// theirs and the operator's are counted apart.
	cacheSize = 4096
	// maxTargets bounds the SRV targets that are tried: whoever owns a name
	// chooses them, and every request would dial them all.
	maxTargets = 4
)

// Resolver finds the federation API of a server by the table of the
// server-server specification ("Resolving server names"), caches what it
// found, and asks for each name once at a time.
type Resolver struct {
	// Overrides are the operator's own words about a server.
	Overrides map[ServerName]*url.URL
	Servers
	// DNS answers SRV questions; nil means Go's own resolver.
	DNS *net.Resolver

	once    sync.Once
	classes pair[class]
}

// class is what is known of one class of servers, and what bounds the requests
// to them.
type class struct {
	isNamed      bool
	transport    *outbound.Transport
	askers       *semaphore.Keyed[netip.Prefix] // client networks that have verifications
	budget       *semaphore.Keyed[ServerName]   // of verifications
	wellKnown    *http.Client
	failureRetry time.Duration
	cache        *lru.Cache[ServerName, *found]
	discoveries  *inquiry.Inquiries[ServerName, netip.Prefix, discovery]
	records      *lru.Cache[ServerName, record] // of the others alone
}

// found is what discovery has learned of one server. It does not change.
type found struct {
	at          time.Time // when the destination was found
	expires     time.Time // until when it holds
	destination Destination

	delegated ServerName // by the last good well-known; zero when there is none
	fetched   time.Time  // when that was fetched
	validTo   time.Time  // until when it (or the definite "none") need not be fetched again
	absent    int        // how many definite "none" came in a row
	open      bool       // the last question got no definite answer
	kept      bool       // and an earlier good one still holds
	gap       Gap        // "" after a good document, and after a 404
	note      string     // why there is no delegation, or no fresh one
	doubted   bool       // the destination did not do: nothing of this is taken over
}

func (r *Resolver) init() {
	r.once.Do(func() {
		r.classes.named.set(r.NamedTransport, namedFailureRetry, namedAskers, namedVerifications)
		r.classes.others.set(r.OtherTransport, otherFailureRetry, otherAskers, otherVerifications)
		r.classes.named.isNamed = true
		r.classes.named.discoveries = inquiry.New[ServerName, netip.Prefix, discovery](semaphore.Bounds{}, namedDiscoveries, resolveTimeout)
		r.classes.others.discoveries = inquiry.New[ServerName, netip.Prefix, discovery](otherCallers, otherDiscoveries, resolveTimeout)
	})
}

func (c *class) set(transport *outbound.Transport, failureRetry time.Duration, askers, verifications semaphore.Bounds) {
	c.transport, c.failureRetry = transport, failureRetry
	c.askers = semaphore.New[netip.Prefix](askers)
	c.budget = semaphore.New[ServerName](verifications)
	c.wellKnown = wellKnownClient(transport)
	c.cache, _ = lru.New[ServerName, *found](cacheSize) // fails for sizes ≤ 0 only
	c.records, _ = lru.New[ServerName, record](cacheSize)
}

// class returns the one that server belongs to.
func (r *Resolver) class(server ServerName) *class {
	r.init()
	return r.classes.of(r.isNamed(server))
}

// Resolve returns where to reach server, for a client of the network from. A
// server without any record is still to be tried at port 8448, so it fails only
// when ctx ends, or when we have too much to do.
func (r *Resolver) Resolve(ctx context.Context, server ServerName, from netip.Prefix) (Destination, error) {
	if base, ok := r.Overrides[server]; ok {
		return overridden(base), nil
	}
	if isExplicit(server) {
		return direct(server), nil
	}
	c := r.class(server)
	known, ok := c.cache.Get(server)
	if ok && time.Now().Before(known.expires) {
		return known.destination, nil
	}
	find := func(ctx context.Context) discovery { return r.find(ctx, c, server) }
	if ok && known.kept && time.Now().Before(known.fetched.Add(maxWellKnown)) {
		// The last refresh failed, and this one may take as long: nobody
		// waits for it while the last good answer holds.
		c.discoveries.Hint(ctx, server, from, find)
		return known.destination, nil
	}
	answer, err := c.discoveries.Ask(ctx, server, from, find)
	if err != nil {
		return Destination{}, err
	}
	return answer.destination, answer.err
}

// discovery is what comes of one. Its error is an *[inquiry.BusyError].
type discovery struct {
	destination Destination
	err         error
}

// find returns what is cached of server if it holds, and discovers it otherwise.
func (r *Resolver) find(ctx context.Context, c *class, server ServerName) discovery {
	old, ok := c.cache.Get(server)
	if !ok {
		old = &found{}
	}
	if time.Now().Before(old.expires) && !old.doubted {
		return discovery{destination: old.destination} // another one has just ended
	}
	now, err := r.discover(ctx, c, server, old)
	if err != nil {
		return discovery{err: err}
	}
	if other, ok := c.cache.Get(server); ok && other != old && now.open && !other.open && time.Now().Before(other.expires) {
		return discovery{destination: other.destination} // others have asked meanwhile, and got an answer
	}
	c.cache.Add(server, now)
	return discovery{destination: now.destination}
}

// Prefer puts the i-th address of destination first for the requests to come:
// the ones before it did not answer.
func (r *Resolver) Prefer(server ServerName, destination Destination, i int) {
	c := r.class(server)
	known, ok := c.cache.Get(server)
	if !ok || !known.destination.same(destination) {
		return
	}
	reordered := *known
	addrs := destination.Addrs
	reordered.destination.Addrs = append(append([]string{}, addrs[i:]...), addrs[:i]...)
	c.cache.Add(server, &reordered)
}
