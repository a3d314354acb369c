package outbound

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
)

// Pool holds the connections of one transport, or of several that share it,
// within bounds. The zero value works; fields must not change after the first
// use. It must not be copied.
type Pool struct {
	// MaxIdle bounds the connections kept without a request, zero means 512.
	// One more takes the place of the one that was idle longest.
	MaxIdle int
	// IdleTimeout is how long such a connection is kept, zero means 50 s:
	// less than what servers and proxies commonly grant (60 and 75 s).
	IdleTimeout time.Duration
	// PerHost bounds the connections of each transport to one host, idle ones
	// and those that are being opened included: an IPv4 address, or an IPv6
	// /64, whatever names lead there. 0 means no bound. Where a host has no
	// place left, idle connections to it are closed, then a new one waits.
	PerHost int
	// MaxHandshake bounds the bytes that are read in one TLS handshake, before
	// any of them is parsed; 0 means no bound.
	MaxHandshake int64
	// MaxHandshakes bounds what the handshakes of all open connections have
	// read, whether those are idle, in use or in a handshake: a connection
	// keeps the certificates that it got, parsed. Certificates of many small
	// entries count for more than was read, so that no more than 8 times
	// these bytes are kept. The connection that was idle longest is closed
	// first, then new handshakes wait. An asker ([For]) whose connections that
	// are not idle take more than one and a half handshakes gets no other while
	// those of all askers take more than half. It is at least MaxHandshake, and
	// counts only where that is set.
	MaxHandshakes int64
	// Lesser, if set, is a pool that gives up idle connections before this one
	// does, where no file is left for a new one.
	Lesser *Pool

	once   sync.Once
	places *semaphore.Keyed[place] // nil without PerHost
	bytes  *semaphore.Keyed[Asker] // of connections that are not idle; nil without MaxHandshake

	mu     sync.Mutex
	idle   map[target][]*conn // whichever was used last at the end
	order  list.List          // of all idle *conn, whichever was idle longest in front
	sweep  *time.Timer        // nil while nothing is idle
	wanted map[place]int      // how many wait for a place
	rest   int64              // what the handshakes of idle connections have read
}

const (
	defaultMaxIdle     = 512
	defaultIdleTimeout = 50 * time.Second
)

// target is what an idle connection can be used for.
type target struct {
	transport *Transport
	route     Route
}

func (p *Pool) init() {
	p.once.Do(func() {
		if p.PerHost > 0 {
			p.places = semaphore.New[place](semaphore.Bounds{PerKey: p.PerHost})
		}
		if p.MaxHandshake > 0 {
			p.bytes = semaphore.New[Asker](semaphore.Bounds{Total: int(p.maxHandshakes()), Share: int(p.MaxHandshake * 3 / 2)})
		}
	})
}

func (p *Pool) maxHandshakes() int64 { return max(p.MaxHandshake, p.MaxHandshakes) }

// take returns the connection to route that was used last, or nil: there is none,
// or the asker may not have what it holds.
func (p *Pool) take(t *Transport, route Route, asker Asker) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.idle[target{t, route}]
	if len(conns) == 0 {
		return nil
	}
	c := conns[len(conns)-1]
	if c.socket.held > 0 && !p.bytes.TryTake(asker, int(c.socket.held)) {
		return nil
	}
	p.remove(c)
	c.socket.asker, c.socket.resting = asker, false
	return c
}

// put keeps c for the next request, or closes it if somebody waits for its place.
func (p *Pool) put(c *conn) {
	p.mu.Lock()
	excess := c
	if p.wanted[c.place()] == 0 && !c.socket.isSwollen() {
		excess = p.add(c)
	}
	p.mu.Unlock()
	if excess != nil {
		excess.Close()
	}
}

// add makes c idle and returns the connection that has to go for it, if any.
// The lock is held.
func (p *Pool) add(c *conn) (excess *conn) {
	if p.order.Len() >= orDefault(p.MaxIdle, defaultMaxIdle) {
		excess = p.oldest(func(*conn) bool { return true })
		p.remove(excess)
	}
	if p.idle == nil {
		p.idle = make(map[target][]*conn)
	}
	if c.socket.held > 0 {
		p.rest += c.socket.held
		p.bytes.Give(c.socket.asker, int(c.socket.held))
	}
	c.socket.resting = true
	c.idleSince = time.Now()
	c.element = p.order.PushBack(c)
	p.idle[c.target()] = append(p.idle[c.target()], c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(orDefault(p.IdleTimeout, defaultIdleTimeout), p.closeExpired)
	}
	return excess
}

// remove takes c out. The lock is held.
func (p *Pool) remove(c *conn) {
	p.rest -= c.socket.held
	p.order.Remove(c.element)
	c.element = nil
	conns := p.idle[c.target()]
	conns = slices.Delete(conns, slices.Index(conns, c), slices.Index(conns, c)+1)
	if len(conns) == 0 {
		delete(p.idle, c.target())
		return
	}
	p.idle[c.target()] = conns
}

// oldest returns the connection that was idle longest among those that match,
// nil if none does. The lock is held.
func (p *Pool) oldest(match func(*conn) bool) *conn {
	for e := p.order.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); match(c) {
			return c
		}
	}
	return nil
}

// closeOldest closes the connection that was idle longest among those that
// match, and reports whether there was one.
func (p *Pool) closeOldest(match func(*conn) bool) bool {
	p.mu.Lock()
	c := p.oldest(match)
	if c != nil {
		p.remove(c)
	}
	p.mu.Unlock()
	if c == nil {
		return false
	}
	c.Close()
	return true
}

// CloseForFile closes a connection that was idle longest, to have a file for
// another one, and reports whether there was any.
func (p *Pool) CloseForFile() bool {
	any := func(*conn) bool { return true }
	return p.Lesser != nil && p.Lesser.closeOldest(any) || p.closeOldest(any)
}

// closeExpired closes what has been idle for too long and comes again as long
// as anything is idle.
func (p *Pool) closeExpired() {
	timeout := orDefault(p.IdleTimeout, defaultIdleTimeout)
	for p.closeOldest(func(c *conn) bool { return time.Since(c.idleSince) >= timeout }) {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.order.Len() == 0 {
		p.sweep = nil
	} else {
		p.sweep.Reset(timeout / 2)
	}
}

// drop closes the idle connections to one route.
func (p *Pool) drop(t *Transport, route Route) {
	for p.closeOldest(func(c *conn) bool { return c.target() == target{t, route} }) {
	}
}

// dropAll closes the idle connections of t.
func (p *Pool) dropAll(t *Transport) {
	for p.closeOldest(func(c *conn) bool { return c.transport == t }) {
	}
}
