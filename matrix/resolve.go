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

// These bounds limit how many discoveries run, and how many callers wait for
// discoveries, at the same time. A discovery goes on, and keeps its permit,
// after its callers have left.
//
// Clients choose the names of the servers that the operator did not name. So for
// these servers, a client network that has Share permits or more gets another one
// only while half of the permits are free. One network can take half of them at most.
// If 15 other networks then take Share permits each, 128 - 64 - 15·4 = 4 discoveries
// and 384 - 192 - 15·8 = 72 callers still get a permit.
var (
	namedDiscoveries = semaphore.Bounds{Total: 256}
	otherDiscoveries = semaphore.Bounds{Total: 128, Share: 4}
	otherCallers     = semaphore.Bounds{Total: 384, Share: 8}
)

const (
	// locateLifetime is how long the service uses the answers to SRV queries.
	// It is a constant, because the system's resolver does not return their
	// TTL.
	locateLifetime = time.Hour
	// resolveTimeout bounds one discovery, however many callers wait for it.
	resolveTimeout = 8 * time.Second
	// cacheSize bounds how many servers of each class are remembered. One class
	// is the servers that the operator named. The other class is all other
	// servers, whose names strangers can choose.
	cacheSize = 4096
	// maxTargets is how many targets of SRV records the service tries. Without
	// a bound, the owner of a name could make every request dial any number of
	// targets.
	maxTargets = 4
)

// Resolver finds the federation API of a server by the steps of the
// server-server specification ("Resolving server names"). It caches the result.
// For each name, it runs one discovery at a time.
type Resolver struct {
	// Overrides are the URLs that the operator set for servers.
	Overrides map[ServerName]*url.URL
	Servers
	// DNS answers SRV queries; nil means Go's own resolver.
	DNS *net.Resolver

	once    sync.Once
	classes pair[class]
}

// class holds the cache, and the bounds on requests, for one of the two classes of
// servers. The servers that the operator named are one class. All other servers are
// the other class.
type class struct {
	isNamed      bool
	transport    *outbound.Transport
	askers       *semaphore.Keyed[netip.Prefix] // bounds the verifications for each client network
	budget       *semaphore.Keyed[ServerName]   // bounds the verifications at each server
	wellKnown    *http.Client
	failureRetry time.Duration
	cache        *lru.Cache[ServerName, *found]
	discoveries  *inquiry.Inquiries[ServerName, netip.Prefix, discovery]
	records      *lru.Cache[ServerName, record] // what is known about each server; used only for servers that the operator did not name
}

// found is the result of one discovery. It never changes.
type found struct {
	at          time.Time // when the destination was found
	expires     time.Time // until when the destination is used
	destination Destination

	delegated ServerName // the server name in the last good well-known document; zero if the document names none or does not exist
	fetched   time.Time  // when the last good document was fetched
	validTo   time.Time  // until when the service need not fetch the document again
	absent    int        // how many answers in a row said definitely that there is no document
	open      bool       // whether the last fetch of the document got no definite answer
	kept      bool       // whether an earlier good document is still used, although the last fetch got no definite answer
	gap       Gap        // what is wrong with the document; "" after a good document or a 404
	note      string     // why the service knows of no delegation, or why it uses an old document
	doubted   bool       // whether a request to the destination failed, so that discovery must repeat all steps
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
	c.cache, _ = lru.New[ServerName, *found](cacheSize) // lru.New fails only for a size below 1
	c.records, _ = lru.New[ServerName, record](cacheSize)
}

// class returns the cache and the bounds for server. There are two classes of
// servers: those that the operator named, and all others.
func (r *Resolver) class(server ServerName) *class {
	r.init()
	return r.classes.of(r.isNamed(server))
}

// Resolve returns where to reach server. The parameter from is the network of
// the client that needs the answer. If discovery finds no record, the
// destination is port 8448 of the server. So Resolve fails only if ctx ends or
// this service is busy.
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
		// The last refresh failed, and this refresh may also be slow. So the
		// caller does not wait, and uses the last good answer.
		c.discoveries.Hint(ctx, server, from, find)
		return known.destination, nil
	}
	answer, err := c.discoveries.Ask(ctx, server, from, find)
	if err != nil {
		return Destination{}, err
	}
	return answer.destination, answer.err
}

// discovery is the result of [Resolver.find]. Its error is an
// *[inquiry.BusyError].
type discovery struct {
	destination Destination
	err         error
}

// find returns the cached result for server if it is valid. Otherwise it
// discovers the server.
func (r *Resolver) find(ctx context.Context, c *class, server ServerName) discovery {
	old, ok := c.cache.Get(server)
	if !ok {
		old = &found{}
	}
	if time.Now().Before(old.expires) && !old.doubted {
		return discovery{destination: old.destination} // another discovery has just ended
	}
	now, err := r.discover(ctx, c, server, old)
	if err != nil {
		return discovery{err: err}
	}
	if other, ok := c.cache.Get(server); ok && other != old && now.open && !other.open && time.Now().Before(other.expires) {
		return discovery{destination: other.destination} // another caller has found a destination in the meantime
	}
	c.cache.Add(server, now)
	return discovery{destination: now.destination}
}

// prefer makes later requests try the i-th address of destination first,
// because the addresses before it did not answer.
func (r *Resolver) prefer(server ServerName, destination Destination, i int) {
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
