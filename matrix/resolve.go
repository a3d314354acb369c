package matrix

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/semaphore"
)

const (
	federationPort = "8448"
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
	// maxDiscoveries bounds the discoveries under way in each class. They go
	// on when the clients that asked have left.
	maxDiscoveries = 256
)

// Destination is where and under which names a server's federation API is
// served.
type Destination struct {
	Scheme  string   // "https", or "http" where the operator said so
	Addrs   []string // host:port, in the order to try
	Host    string   // the Host header
	TLSName string   // the name that the certificate must hold
	// Note says why this may be the wrong place: what failed in finding it.
	Note string
	Path string // escaped prefix of the path, "" but for an operator's override
}

// Resolver finds the federation API of a server by the table of the
// server-server specification ("Resolving server names"), caches what it
// found, and asks for each name once at a time.
type Resolver struct {
	// Overrides are the operator's own words about a server.
	Overrides map[ServerName]*url.URL
	// Named reports whether the operator named the server.
	Named func(ServerName) bool
	// DNS answers SRV questions; nil means Go's own resolver.
	DNS *net.Resolver
	// NamedTransport and OtherTransport carry every request to servers that
	// the operator named, and to all others.
	NamedTransport, OtherTransport *outbound.Transport

	once   sync.Once
	named  class
	others class
}

// class is one of the two classes of servers: those that the operator named,
// and all others. The classes share nothing.
type class struct {
	transport    *outbound.Transport
	budget       *semaphore.Keyed[ServerName] // of verifications
	wellKnown    *http.Client
	failureRetry time.Duration
	cache        *lru.Cache[ServerName, *found]
	flight       singleflight.Group
	discoveries  *semaphore.Keyed[struct{}]
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
	note      string     // why there is no delegation, or no fresh one
}

func (r *Resolver) init() {
	r.once.Do(func() {
		r.named.set(r.NamedTransport, namedFailureRetry, semaphore.Bounds{Total: namedVerifications, PerKey: perNamedServer})
		r.others.set(r.OtherTransport, otherFailureRetry, semaphore.Bounds{Total: otherVerifications, PerKey: perOtherServer})
		if r.DNS == nil {
			r.DNS = &net.Resolver{PreferGo: true}
		}
	})
}

func (c *class) set(transport *outbound.Transport, failureRetry time.Duration, verifications semaphore.Bounds) {
	c.transport, c.failureRetry = transport, failureRetry
	c.budget = semaphore.New[ServerName](verifications)
	c.wellKnown = wellKnownClient(transport)
	c.cache, _ = lru.New[ServerName, *found](cacheSize) // fails for sizes ≤ 0 only
	c.discoveries = semaphore.New[struct{}](semaphore.Bounds{Total: maxDiscoveries})
}

// class returns the one that server belongs to. Nothing else decides that.
func (r *Resolver) class(server ServerName) *class {
	r.init()
	if r.Named != nil && r.Named(server) {
		return &r.named
	}
	return &r.others
}

// Resolve returns where to reach server. It fails only when ctx ends: a server
// without any record is still to be tried at port 8448.
func (r *Resolver) Resolve(ctx context.Context, server ServerName) (Destination, error) {
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
	result := r.discoverOnce(ctx, c, server)
	if ok && known.kept && time.Now().Before(known.fetched.Add(maxWellKnown)) {
		// The last refresh failed, and this one may take as long: nobody
		// waits for it while the last good answer holds.
		return known.destination, nil
	}
	select {
	case res := <-result:
		return res.Val.(Destination), res.Err
	case <-ctx.Done():
		return Destination{}, ctx.Err()
	}
}

// discoverOnce joins the discovery of server that is under way or starts one,
// which goes on for the others when this caller gives up.
func (r *Resolver) discoverOnce(ctx context.Context, c *class, server ServerName) <-chan singleflight.Result {
	return c.flight.DoChan(server.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTimeout)
		defer cancel()
		release, err := c.discoveries.Acquire(ctx, struct{}{})
		if err != nil {
			return Destination{}, err
		}
		defer release()
		old, _ := c.cache.Get(server)
		if old == nil {
			old = &found{}
		}
		now := r.discover(ctx, c, server, old)
		c.cache.Add(server, now)
		return now.destination, nil
	})
}

// Forget drops what is cached of server because no connection to destination
// came about. It reports whether asking again can help: not when there is
// nothing to discover, and not when the answer is a fresh one.
func (r *Resolver) Forget(server ServerName, destination Destination) bool {
	if _, ok := r.Overrides[server]; ok || isExplicit(server) {
		return false
	}
	c := r.class(server)
	known, ok := c.cache.Get(server)
	if !ok || !sameAddrs(known.destination, destination) {
		return true // somebody else has asked again meanwhile
	}
	if time.Since(known.at) < c.failureRetry {
		return false
	}
	stale := *known
	stale.expires, stale.validTo, stale.kept = time.Time{}, time.Time{}, false
	c.cache.Add(server, &stale)
	return true
}

// Prefer puts the i-th address of destination first for the requests to come:
// the ones before it did not answer.
func (r *Resolver) Prefer(server ServerName, destination Destination, i int) {
	c := r.class(server)
	known, ok := c.cache.Get(server)
	if !ok || !sameAddrs(known.destination, destination) {
		return
	}
	reordered := *known
	addrs := destination.Addrs
	reordered.destination.Addrs = append(append([]string{}, addrs[i:]...), addrs[:i]...)
	c.cache.Add(server, &reordered)
}

func sameAddrs(a, b Destination) bool {
	return strings.Join(a.Addrs, " ") == strings.Join(b.Addrs, " ")
}

// discover takes steps 3 to 6 for server, from what is known of it (old).
func (r *Resolver) discover(ctx context.Context, c *class, server ServerName, old *found) *found {
	f := *old
	if !time.Now().Before(old.validTo) {
		f = r.delegation(ctx, c, server, *old)
	}
	target := server
	if !f.delegated.IsZero() {
		target = f.delegated
	}
	located, err := r.locate(ctx, target)
	f.destination, f.at = located, time.Now()
	f.destination.Note = f.note
	switch {
	case err != nil:
		f.destination.Note = join(f.note, "SRV of "+target.String()+": "+err.Error())
		f.expires = f.at.Add(c.failureRetry)
	case f.open:
		f.expires = f.at.Add(c.failureRetry)
	default:
		f.expires = earlier(f.validTo, f.at.Add(locateLifetime))
	}
	return &f
}

// delegation fetches the well-known document. Where the question stays open
// the last good answer holds for up to 48 h.
func (r *Resolver) delegation(ctx context.Context, c *class, server ServerName, old found) found {
	delegated, lifetime, err := fetchWellKnown(ctx, c.wellKnown, server.Host())
	now := time.Now()
	if err == nil {
		return found{delegated: delegated, fetched: now, validTo: now.Add(lifetime)}
	}
	note := "well-known of " + server.String() + ": " + err.Error()
	if _, ok := errors.AsType[errNoWellKnown](err); ok {
		n := old.absent + 1
		return found{absent: n, validTo: now.Add(absentRetry(n)), note: note}
	}
	if now.Before(old.fetched.Add(maxWellKnown)) {
		old.open, old.kept, old.note = true, true, note
		return old
	}
	return found{absent: old.absent, open: true, note: note}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// locate takes steps 3.1 to 3.5, or 4 to 6, for target. With an error, DNS did
// not give a definite answer and the destination is a guess.
func (r *Resolver) locate(ctx context.Context, target ServerName) (Destination, error) {
	d := direct(target)
	if isExplicit(target) {
		return d, nil
	}
	for _, service := range []string{"matrix-fed", "matrix"} {
		addrs, err := r.lookupSRV(ctx, service, target.Host())
		if err != nil {
			return d, err
		}
		if len(addrs) > 0 {
			d.Addrs = addrs
			return d, nil
		}
	}
	return d, nil
}

// lookupSRV returns the first targets by priority and weight, none where there
// is no record. A target of "." (service not offered) counts as no record.
func (r *Resolver) lookupSRV(ctx context.Context, service, host string) ([]string, error) {
	_, records, err := r.DNS.LookupSRV(ctx, service, "tcp", host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && (dns.IsNotFound || len(records) > 0) {
		err = nil // no record, or some of the records have malformed names
	}
	var addrs []string
	for _, record := range records {
		if name := strings.TrimSuffix(record.Target, "."); name != "" && len(addrs) < maxTargets {
			addrs = append(addrs, net.JoinHostPort(name, strconv.Itoa(int(record.Port))))
		}
	}
	return addrs, err
}

// isExplicit reports whether the name itself says where to connect (steps 1
// and 2).
func isExplicit(server ServerName) bool {
	_, isIP := server.IP()
	return isIP || server.Port() != ""
}

// direct is the destination that the name itself gives.
func direct(server ServerName) Destination {
	host := strings.Trim(server.Host(), "[]")
	port := server.Port()
	if port == "" {
		port = federationPort
	}
	return Destination{
		Scheme:  "https",
		Addrs:   []string{net.JoinHostPort(host, port)},
		Host:    server.String(),
		TLSName: host,
	}
}

// overridden is the destination that the operator's URL gives.
func overridden(base *url.URL) Destination {
	port := base.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[base.Scheme]
	}
	return Destination{
		Scheme:  base.Scheme,
		Addrs:   []string{net.JoinHostPort(base.Hostname(), port)},
		Host:    base.Host,
		TLSName: base.Hostname(),
		Path:    strings.TrimSuffix(base.EscapedPath(), "/"),
	}
}
