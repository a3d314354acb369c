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
)

const (
	userAgent = "matrixrtc-auth"

	federationPort = "8448"
	// locateLifetime bounds how long SRV answers hold: the system's resolver
	// does not tell their TTL.
	locateLifetime = time.Hour
	// resolveTimeout bounds one discovery, whoever waits for it.
	resolveTimeout = 8 * time.Second
	// cacheSize bounds the servers remembered; strangers choose the names, so
	// theirs and the operator's are counted apart.
	cacheSize = 4096
)

// Destination is where and under which names a server's federation API is
// served.
type Destination struct {
	Scheme  string   // "https", or "http" where the operator said so
	Addrs   []string // host:port, in the order to try
	Host    string   // the Host header
	TLSName string   // the name that the certificate must hold
	Path    string   // escaped prefix of the path, "" but for an operator's override
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
	// NamedTransport and OtherTransport fetch the well-known documents of
	// servers that the operator named, and of all others.
	NamedTransport, OtherTransport http.RoundTripper

	once   sync.Once
	named  group
	others group
}

// group is one of the two classes of servers. They share nothing.
type group struct {
	wellKnown    *http.Client
	failureRetry time.Duration
	cache        *lru.Cache[ServerName, *found]
	flight       singleflight.Group
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
}

func (r *Resolver) init() {
	r.once.Do(func() {
		for _, g := range []*group{&r.named, &r.others} {
			g.cache, _ = lru.New[ServerName, *found](cacheSize) // fails for sizes ≤ 0 only
		}
		r.named.wellKnown, r.named.failureRetry = wellKnownClient(r.NamedTransport), namedFailureRetry
		r.others.wellKnown, r.others.failureRetry = wellKnownClient(r.OtherTransport), otherFailureRetry
		if r.DNS == nil {
			r.DNS = &net.Resolver{PreferGo: true}
		}
	})
}

func (r *Resolver) group(server ServerName) *group {
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
	g := r.group(server)
	known, ok := g.cache.Get(server)
	if ok && time.Now().Before(known.expires) {
		return known.destination, nil
	}
	return r.discoverOnce(ctx, g, server)
}

// discoverOnce joins the discovery of server that is under way or starts one,
// which goes on for the others when this caller gives up.
func (r *Resolver) discoverOnce(ctx context.Context, g *group, server ServerName) (Destination, error) {
	result := g.flight.DoChan(server.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTimeout)
		defer cancel()
		old, _ := g.cache.Get(server)
		if old == nil {
			old = &found{}
		}
		now := r.discover(ctx, g, server, old)
		g.cache.Add(server, now)
		return now.destination, nil
	})
	select {
	case res := <-result:
		return res.Val.(Destination), res.Err
	case <-ctx.Done():
		return Destination{}, ctx.Err()
	}
}

// Forget drops what is cached of server because no connection to destination
// came about. It reports whether asking again can help: not when there is
// nothing to discover, and not when the answer is a fresh one.
func (r *Resolver) Forget(server ServerName, destination Destination) bool {
	if _, ok := r.Overrides[server]; ok || isExplicit(server) {
		return false
	}
	g := r.group(server)
	known, ok := g.cache.Get(server)
	if !ok || !sameAddrs(known.destination, destination) {
		return true // somebody else has asked again meanwhile
	}
	if time.Since(known.at) < g.failureRetry {
		return false
	}
	stale := *known
	stale.expires, stale.validTo = time.Time{}, time.Time{}
	g.cache.Add(server, &stale)
	return true
}

// Prefer puts the i-th address of destination first for the requests to come:
// the ones before it did not answer.
func (r *Resolver) Prefer(server ServerName, destination Destination, i int) {
	g := r.group(server)
	known, ok := g.cache.Get(server)
	if !ok || !sameAddrs(known.destination, destination) {
		return
	}
	reordered := *known
	addrs := destination.Addrs
	reordered.destination.Addrs = append(append([]string{}, addrs[i:]...), addrs[:i]...)
	g.cache.Add(server, &reordered)
}

func sameAddrs(a, b Destination) bool {
	return strings.Join(a.Addrs, " ") == strings.Join(b.Addrs, " ")
}

// discover takes steps 3 to 6 for server, from what is known of it (old).
func (r *Resolver) discover(ctx context.Context, g *group, server ServerName, old *found) *found {
	now := time.Now()
	f := *old
	definite := true
	if !now.Before(old.validTo) {
		f, definite = r.delegation(ctx, g, server, *old)
	}
	target := server
	if !f.delegated.IsZero() {
		target = f.delegated
	}
	var located bool
	f.destination, located = r.locate(ctx, target)
	f.at = time.Now()
	f.expires = f.at.Add(locateLifetime)
	if f.validTo.Before(f.expires) && definite {
		f.expires = f.validTo
	}
	if !definite || !located {
		f.expires = f.at.Add(g.failureRetry)
	}
	return &f
}

// delegation fetches the well-known document. definite is false when the
// question stays open; the last good answer then holds for up to 48 h.
func (r *Resolver) delegation(ctx context.Context, g *group, server ServerName, old found) (f found, definite bool) {
	delegated, lifetime, err := fetchWellKnown(ctx, g.wellKnown, server.Host())
	now := time.Now()
	if err == nil {
		return found{delegated: delegated, fetched: now, validTo: now.Add(lifetime)}, true
	}
	if _, ok := errors.AsType[errNoWellKnown](err); ok {
		n := old.absent + 1
		return found{absent: n, validTo: now.Add(absentRetry(n))}, true
	}
	if now.Before(old.fetched.Add(maxWellKnown)) {
		return old, false
	}
	return found{absent: old.absent}, false
}

// locate takes steps 3.1 to 3.5, or 4 to 6, for target. It reports false when
// DNS did not give a definite answer.
func (r *Resolver) locate(ctx context.Context, target ServerName) (Destination, bool) {
	d := direct(target)
	if isExplicit(target) {
		return d, true
	}
	for _, service := range []string{"matrix-fed", "matrix"} {
		addrs, err := r.lookupSRV(ctx, service, target.Host())
		if err != nil {
			return d, false
		}
		if len(addrs) > 0 {
			d.Addrs = addrs
			return d, true
		}
	}
	return d, true
}

// lookupSRV returns the targets by priority and weight, none where there is no
// record. A target of "." (service not offered) counts as no record.
func (r *Resolver) lookupSRV(ctx context.Context, service, host string) ([]string, error) {
	_, records, err := r.DNS.LookupSRV(ctx, service, "tcp", host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && (dns.IsNotFound || len(records) > 0) {
		err = nil // no record, or some of the records have malformed names
	}
	var addrs []string
	for _, record := range records {
		if name := strings.TrimSuffix(record.Target, "."); name != "" {
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
