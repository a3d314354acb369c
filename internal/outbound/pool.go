package outbound

import (
	"net/netip"
	"slices"
	"time"
)

// takeIdle returns the connection to route that was used last, or nil.
func (t *Transport) takeIdle(route Route) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	conns := t.idle[route]
	if len(conns) == 0 {
		return nil
	}
	c := conns[len(conns)-1]
	t.setIdle(route, conns[:len(conns)-1])
	return c
}

// putIdle keeps c for the next request.
func (t *Transport) putIdle(c *conn) {
	t.mu.Lock()
	var excess *conn
	if t.idles >= orDefault(t.MaxIdle, defaultMaxIdle) {
		excess = t.takeOldest(func(*conn) bool { return true })
	}
	c.idleSince = time.Now()
	t.setIdle(c.route, append(t.idle[c.route], c))
	if t.sweep == nil {
		t.sweep = time.AfterFunc(orDefault(t.IdleTimeout, defaultIdleTimeout), t.closeExpired)
	}
	t.mu.Unlock()
	if excess != nil {
		excess.Close()
	}
}

// dropOldest closes the connection to host that was idle longest, and reports
// whether there was one: a host that may have no more connections is not to be
// kept from others by those that nobody uses.
func (t *Transport) dropOldest(host netip.Prefix) bool {
	t.mu.Lock()
	c := t.takeOldest(func(c *conn) bool { return c.host == host })
	t.mu.Unlock()
	if c == nil {
		return false
	}
	c.Close()
	return true
}

// takeOldest removes the connection that was idle longest among those that
// match, nil if none does. The lock is held.
func (t *Transport) takeOldest(match func(*conn) bool) *conn {
	var oldest *conn
	for _, conns := range t.idle {
		for _, c := range conns {
			if match(c) && (oldest == nil || c.idleSince.Before(oldest.idleSince)) {
				oldest = c
			}
		}
	}
	if oldest != nil {
		rest := slices.DeleteFunc(slices.Clone(t.idle[oldest.route]), func(c *conn) bool { return c == oldest })
		t.setIdle(oldest.route, rest)
	}
	return oldest
}

// setIdle replaces the idle connections of a route. The lock is held.
func (t *Transport) setIdle(route Route, conns []*conn) {
	t.idles += len(conns) - len(t.idle[route])
	if len(conns) == 0 {
		delete(t.idle, route)
		return
	}
	if t.idle == nil {
		t.idle = make(map[Route][]*conn)
	}
	t.idle[route] = conns
}

// closeExpired closes what has been idle for too long and comes again as long
// as anything is idle.
func (t *Transport) closeExpired() {
	timeout := orDefault(t.IdleTimeout, defaultIdleTimeout)
	t.mu.Lock()
	var expired []*conn
	for route, conns := range t.idle {
		// Those idle longest come first.
		n := 0
		for n < len(conns) && time.Since(conns[n].idleSince) >= timeout {
			n++
		}
		expired = append(expired, conns[:n]...)
		t.setIdle(route, slices.Clone(conns[n:]))
	}
	if t.idles == 0 {
		t.sweep = nil
	} else {
		t.sweep.Reset(timeout / 2)
	}
	t.mu.Unlock()
	closeAll(expired)
}

// dropIdle closes all idle connections of a route.
func (t *Transport) dropIdle(route Route) {
	t.mu.Lock()
	conns := t.idle[route]
	t.setIdle(route, nil)
	t.mu.Unlock()
	closeAll(conns)
}

// CloseIdleConnections closes every connection that carries no request.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	idle := t.idle
	t.idle, t.idles = nil, 0
	t.mu.Unlock()
	for _, conns := range idle {
		closeAll(conns)
	}
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.Close()
	}
}
