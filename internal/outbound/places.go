package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// CrowdedError says that a request got no new connection in time, because of
// the bounds on connections.
type CrowdedError struct {
	host netip.Prefix // the host with too many connections; zero if the request waited because of Pool.MaxHandshakes
}

func (e *CrowdedError) Error() string {
	if !e.host.IsValid() {
		return "too many TLS connections are open"
	}
	return fmt.Sprintf("too many connections to %s are open", e.host)
}

// waited says how long a request had to wait before it could connect.
type waited struct {
	until time.Time    // when the wait ended; zero without a wait
	host  netip.Prefix // the host with too many connections; zero if the request waited because of Pool.MaxHandshakes
}

// fairTime is how long a host must have had for its answer before its silence counts
// as its own failure. A request that waited for a place may leave the host less time.
const fairTime = time.Second

// excuse returns err, with one exception. If err is a timeout, and the request
// waited so long that the host had less than fairTime for its answer, excuse
// returns a *[CrowdedError].
func (w waited) excuse(err error) error {
	if !w.until.IsZero() && isTimeout(err) && time.Since(w.until) < fairTime {
		return &CrowdedError{w.host}
	}
	return err
}

// place identifies one host for one transport. [Pool.PerHost] bounds the number of
// connections for each place.
type place struct {
	transport *Transport
	host      netip.Prefix
}

// hostOf returns the network of addr. All addresses of this network count as
// one host. For IPv6, it is the /64, because whoever has one address in a /64
// usually has all of them.
func hostOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if !addr.Is6() {
		bits = addr.BitLen()
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// remoteHost returns the host at the other end of c, or the zero Prefix if c is
// not an IP connection.
func remoteHost(c net.Conn) netip.Prefix {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	return hostOf(ap.Addr())
}

// acquire waits, until ctx ends, for the right to open one connection to the host of
// the place at. The function release gives the right back. While a caller waits, the
// pool keeps no idle connection to this host.
func (p *Pool) acquire(ctx context.Context, at place) (release func(), err error) {
	p.want(at, 1)
	defer p.want(at, -1)
	for {
		if release, ok := p.places.TryAcquire(at); ok {
			return release, nil
		}
		if !p.closeOldest(func(c *conn) bool { return c.place() == at }) {
			return p.places.Acquire(ctx, at)
		}
	}
}

func (p *Pool) want(at place, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted == nil {
		p.wanted = make(map[place]int)
	}
	if p.wanted[at] += n; p.wanted[at] == 0 {
		delete(p.wanted, at)
	}
}

// visit is one attempt to open a connection. Before the visit sends the first
// packet to a host, it takes a place there (the right to open a connection).
type visit struct {
	transport *Transport
	pool      *Pool

	mu   sync.Mutex // a dial tries IPv6 and IPv4 at the same time
	held map[netip.Prefix]func()
	full netip.Prefix // the network (hostOf) of a host that had no free place; zero if there is none
	over bool

	waited waited
}

type visitKey struct{}

// enter takes a place at host for the visit, unless the visit already has one there.
// If no place is free, enter returns an error and does not wait.
func (v *visit) enter(host netip.Prefix) error {
	if v.pool.places == nil || !host.IsValid() {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return net.ErrClosed // the dial to another address of the host was faster
	}
	if _, ok := v.held[host]; ok {
		return nil
	}
	release, ok := v.pool.places.TryAcquire(place{v.transport, host})
	if !ok {
		v.full = host
		return &CrowdedError{host}
	}
	v.held[host] = release
	return nil
}

// wait waits for a place at the host v.full. During the wait, v holds no place at
// another host.
func (v *visit) wait(ctx context.Context) error {
	v.mu.Lock()
	host := v.full
	v.full = netip.Prefix{}
	v.releaseAll()
	v.mu.Unlock()
	release, err := v.pool.acquire(ctx, place{v.transport, host})
	if errors.Is(err, context.DeadlineExceeded) {
		return &CrowdedError{host}
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held[host] = release
	v.waited = waited{time.Now(), host}
	return nil
}

// end ends the visit. A visit can hold places at several hosts. end gives them all
// back, except a place at the host in the parameter kept. The caller keeps that
// place, and calls release to give it back. If there is no such place, release is nil.
func (v *visit) end(kept netip.Prefix) (release func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	release = v.held[kept]
	delete(v.held, kept)
	v.releaseAll()
	v.over = true
	return release
}

// releaseAll gives back all places (rights to open a connection) that v, an attempt to
// connect, has taken at hosts. The caller holds v.mu.
func (v *visit) releaseAll() {
	for _, release := range v.held {
		release()
	}
	clear(v.held)
}

func (v *visit) isCrowded() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.full.IsValid()
}
