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

// CrowdedError says that the bounds allowed no further connection in time.
type CrowdedError struct {
	host netip.Prefix // zero: the bound on the handshakes of all hosts was reached
}

func (e *CrowdedError) Error() string {
	if !e.host.IsValid() {
		return "too many TLS connections are open"
	}
	return fmt.Sprintf("too many connections to %s are open", e.host)
}

// waited records how long a request waited before it could connect.
type waited struct {
	until time.Time    // when the wait ended; zero if there was none
	host  netip.Prefix // the host at its bound; zero: the handshakes of all hosts were
}

// fairTime is how long a host must have had to answer. If it had less, its
// silence does not count against it.
const fairTime = time.Second

// excuse returns err, or a *[CrowdedError] if the wait left the host less than
// fairTime.
func (w waited) excuse(err error) error {
	if !w.until.IsZero() && isTimeout(err) && time.Since(w.until) < fairTime {
		return &CrowdedError{w.host}
	}
	return err
}

// place is what [Pool.PerHost] bounds: the connections of one transport to one
// host.
type place struct {
	transport *Transport
	host      netip.Prefix
}

// hostOf returns the network that counts as one host. For IPv6 that is the /64,
// since whoever has one address usually has all of it.
func hostOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if !addr.Is6() {
		bits = addr.BitLen()
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// remoteHost returns the host that c is connected to, the zero prefix if c is
// no IP connection.
func remoteHost(c net.Conn) netip.Prefix {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	return hostOf(ap.Addr())
}

// acquire waits for a place until ctx ends. release gives it back. While
// anybody waits for a place at that host, no connection to it stays idle.
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

// visit is one attempt to open a connection. Before the first packet to a host
// it takes a place there.
type visit struct {
	transport *Transport
	pool      *Pool

	mu   sync.Mutex // a dial tries IPv6 and IPv4 at the same time
	held map[netip.Prefix]func()
	full netip.Prefix // a host that had no free place, zero if there was none
	over bool

	waited waited
}

type visitKey struct{}

// enter takes a place at host if the visit has none there. It does not wait.
func (v *visit) enter(host netip.Prefix) error {
	if v.pool.places == nil || !host.IsValid() {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return net.ErrClosed // the other address was faster
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

// wait waits for a place at the host that had none. Meanwhile the visit holds
// no place at other hosts.
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

// end ends the visit. release gives back the place at kept, and is nil if the
// visit has none there. The visit's other places are free at once.
func (v *visit) end(kept netip.Prefix) (release func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	release = v.held[kept]
	delete(v.held, kept)
	v.releaseAll()
	v.over = true
	return release
}

// releaseAll gives every place back. The lock is held.
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
