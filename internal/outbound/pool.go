package outbound

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
)

// Pool holds the connections of one or several transports, within bounds. The
// zero value is ready. The fields must not change after the first use. A Pool
// must not be copied.
type Pool struct {
	// MaxIdle bounds the number of idle connections. Zero means 512. At the
	// bound, a new idle connection replaces the connection that has been idle
	// longest.
	MaxIdle int
	// IdleTimeout is how long the pool keeps an idle connection. Zero means 50
	// s, because servers and proxies usually close idle connections after 60 or
	// 75 s.
	IdleTimeout time.Duration
	// PerHost bounds the connections of each transport to one host. A host is
	// an IPv4 address or an IPv6 /64, whatever names it has. Idle connections,
	// and connections that are being opened, also count. 0 means no bound. At
	// the bound, the pool closes an idle connection to the host. If none is
	// idle, a new connection has to wait.
	PerHost int
	// MaxHandshake bounds the bytes that are read in one TLS handshake, before
	// any of them is parsed. 0 means no bound.
	MaxHandshake int64
	// MaxHandshakes bounds the bytes that the handshakes of all open connections have
	// read, because a connection keeps the certificates that it received. Connections
	// count if they are idle, in use, or in a handshake. A certificate with many
	// small entries counts as if it had more bytes. In memory, all these connections
	// therefore take at most 8 times this bound.
	//
	// At the bound, the pool closes the connection that has been idle longest. If
	// none is idle, new handshakes wait. The bound is at least MaxHandshake, and
	// applies only if MaxHandshake is set.
	//
	// While more than half of the bytes are in use, there is also a limit for each
	// asker ([For]). The asker's connections that are in use may then hold at most
	// one and a half times MaxHandshake.
	MaxHandshakes int64
	// Lesser, if set, is a less important pool. If no file can be opened for a
	// new connection, an idle connection of Lesser is closed first.
	Lesser *Pool

	once   sync.Once
	places *semaphore.Keyed[place] // bounds the connections to each host; nil if PerHost is 0
	bytes  *semaphore.Keyed[Asker] // counts the bytes that the TLS handshakes of connections in use have read; nil if MaxHandshake is 0

	mu     sync.Mutex
	idle   map[target]*group // the idle connections to each target
	order  list.List         // all idle connections (*conn); the front has been idle longest
	sweep  *time.Timer       // closes connections that have been idle for too long; nil if none is idle
	wanted map[place]int     // how many requests wait for a place at each host
	rest   int64             // how many bytes the TLS handshakes of idle connections have read
}

const (
	defaultMaxIdle     = 512
	defaultIdleTimeout = 50 * time.Second
)

// target identifies idle connections. Each idle connection can serve every
// request with the same target.
type target struct {
	transport *Transport
	route     Route
}

// group holds the idle connections of one target. The connection that was used
// last is at the end.
type group struct{ conns []*conn }

func (p *Pool) init() {
	p.once.Do(func() {
		p.idle = make(map[target]*group)
		if p.PerHost > 0 {
			p.places = semaphore.New[place](semaphore.Bounds{PerKey: p.PerHost})
		}
		if p.MaxHandshake > 0 {
			p.bytes = semaphore.New[Asker](semaphore.Bounds{Total: int(p.maxHandshakes()), Share: int(p.MaxHandshake * 3 / 2)})
		}
	})
}

func (p *Pool) maxHandshakes() int64 { return max(p.MaxHandshake, p.MaxHandshakes) }

// take returns the idle connection to route that was used last. It returns nil if
// there is no such connection, or if its handshake bytes exceed what is left of the
// asker's share.
func (p *Pool) take(t *Transport, route Route, asker Asker) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.idle[target{t, route}]
	if g == nil {
		return nil
	}
	c := g.conns[len(g.conns)-1]
	if c.socket.held > 0 && !p.bytes.TryTake(asker, int(c.socket.held)) {
		return nil
	}
	p.remove(c)
	c.socket.asker, c.socket.resting = asker, false
	return c
}

// put keeps c idle for a later request. But if a request waits for a connection
// to the same host, or if the buffers of c have become too large, put closes c.
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

// add makes c idle. It returns the connection that must be closed to make room
// for c, or nil if there is room. The caller holds p.mu.
func (p *Pool) add(c *conn) (excess *conn) {
	if p.order.Len() >= orDefault(p.MaxIdle, defaultMaxIdle) {
		excess = p.oldest(func(*conn) bool { return true })
		p.remove(excess)
	}
	if c.socket.held > 0 {
		p.rest += c.socket.held
		p.bytes.Give(c.socket.asker, int(c.socket.held))
	}
	c.socket.resting = true
	c.idleSince = time.Now()
	c.element = p.order.PushBack(c)
	if c.group = p.idle[c.target()]; c.group == nil {
		c.group = &group{}
		p.idle[c.target()] = c.group
	}
	c.group.conns = append(c.group.conns, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(orDefault(p.IdleTimeout, defaultIdleTimeout), p.closeExpired)
	}
	return excess
}

// remove takes c out of the idle connections. The caller holds p.mu.
func (p *Pool) remove(c *conn) {
	p.rest -= c.socket.held
	p.order.Remove(c.element)
	c.element = nil
	i := slices.Index(c.group.conns, c)
	c.group.conns = slices.Delete(c.group.conns, i, i+1)
	if len(c.group.conns) == 0 {
		delete(p.idle, c.target())
	}
}

// oldest returns the connection that has been idle longest among those for which
// the function match returns true. It returns nil if there is none. The caller
// holds p.mu.
func (p *Pool) oldest(match func(*conn) bool) *conn {
	for e := p.order.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); match(c) {
			return c
		}
	}
	return nil
}

// closeOldest closes the connection that has been idle longest among those for
// which the function match returns true. It returns false if there is none.
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

// CloseForFile closes one idle connection, to free its file descriptor. If the pool in
// p.Lesser has an idle connection, CloseForFile closes the one that has been idle
// longest in that pool, and otherwise the one that has been idle longest in p. It
// returns false if both pools have no idle connection.
func (p *Pool) CloseForFile() bool {
	any := func(*conn) bool { return true }
	return p.Lesser != nil && p.Lesser.closeOldest(any) || p.closeOldest(any)
}

// closeExpired closes the connections that have been idle for too long. If some
// connection is still idle, closeExpired runs again after half of IdleTimeout.
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

// drop closes the idle connections of t to one route.
func (p *Pool) drop(t *Transport, route Route) {
	for p.closeOldest(func(c *conn) bool { return c.target() == target{t, route} }) {
	}
}

// dropAll closes all idle connections of t.
func (p *Pool) dropAll(t *Transport) {
	for p.closeOldest(func(c *conn) bool { return c.transport == t }) {
	}
}
