// Package connlimit bounds the connections of an HTTP server. No client can keep
// others out by holding connections, and all connections together take little
// memory.
//
// A [Listener] has a fixed number of places, one for each open connection:
//   - One client network gets at most a quarter of the places.
//   - The fewer places are free, the less time a request has to arrive.
//   - If no place is free, the Listener closes idle connections.
//   - Only a few requests with unusually large headers are read at the same time.
//
// If net/http cannot read a request, it writes an error answer by itself. The
// Listener replaces that answer by the one that [Options].Answer returns.
package connlimit

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
)

// Options are the settings of a [Listener].
type Options struct {
	// Limit is how many connections are served at the same time. One more
	// connection may wait for a place.
	Limit int
	// Network returns the client network of a connection from peer. The connections
	// of one network may take at most a quarter of the places. ok is false if peer is
	// a proxy with many clients behind it. Then this bound of a quarter does not apply
	// to peer. If Network is nil, the bound applies to no connection.
	Network func(peer net.Addr) (network netip.Prefix, ok bool)
	// ArrivalTime is how long a request may take to arrive while at least half
	// of the places are free.
	ArrivalTime time.Duration
	// Keep lists the headers that the handler reads. If the head of a request is
	// large, the Listener drops all other headers of the request.
	Keep []string
	// Answer returns the whole answer to a request that net/http could not read. The
	// status is 400, 417, 431, 501 or 505. If Answer is nil, the client gets
	// net/http's own answer.
	Answer func(status int, peer net.Addr) []byte
	// Log is where the Listener logs errors of accepting connections.
	Log *slog.Logger
}

const (
	// networkParts is the number of parts into which the places are divided. One
	// network gets at most one part.
	networkParts = 4
	// minArrival is how long a request may take to arrive if no place is free. In
	// this time TCP can send two lost segments again.
	minArrival = 2 * time.Second
	// hurryEvery is the shortest time between two searches for connections whose
	// request or write takes too long.
	hurryEvery = 100 * time.Millisecond
)

// Share returns how many connections one network may have on a [Listener] that has
// at most limit connections at the same time.
func Share(limit int) int { return max(1, limit/networkParts) }

// Listener accepts connections and bounds them. To serve it, call [Listener.Serve],
// not http.Server.Serve.
type Listener struct {
	net.Listener
	options Options
	places  chan struct{} // its length is the number of open connections, its capacity the number of places
	shares  *semaphore.Keyed[netip.Prefix]
	heads   *semaphore.Keyed[netip.Prefix]

	closed    chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex
	conns   map[*conn]struct{}
	hurried time.Time // the time of the last search for connections that are too slow
}

// New returns a Listener that accepts connections from l. Its settings are o.
func New(l net.Listener, o Options) *Listener {
	o.Keep = append(slices.Clone(o.Keep), "Connection") // the caller need not list this header: net/http itself reads it
	return &Listener{
		Listener: l,
		options:  o,
		places:   make(chan struct{}, o.Limit),
		shares:   semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: Share(o.Limit)}),
		heads:    semaphore.New[netip.Prefix](semaphore.Bounds{Total: largeHeads, Share: largeHeads / networkParts}),
		closed:   make(chan struct{}),
		conns:    make(map[*conn]struct{}),
	}
}

// Serve makes server serve the connections. It returns when the server is shut
// down or the listener fails.
func (l *Listener) Serve(server *http.Server) error {
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			c.(*conn).answered()
		}
	}
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	server.Handler = watched(server.Handler)
	return server.Serve(l)
}

// Accept waits until there is a place, and returns the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.acceptPatiently()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, listener: l, leave: func() {}}
		if !l.takeShare(c) {
			_ = accepted.Close()
			continue
		}
		if err := l.takePlace(); err != nil {
			c.leave()
			_ = accepted.Close()
			return nil, err
		}
		l.remember(c)
		l.hurry()
		return c, nil
	}
}

// takeShare counts c toward the share of its network. It returns false if the
// network's whole share is in use. Then the caller closes c without an answer,
// because clients try again after a broken connection, but not after an
// answer.
func (l *Listener) takeShare(c *conn) bool {
	if l.options.Network != nil {
		c.network, c.counted = l.options.Network(c.RemoteAddr())
	}
	if !c.counted {
		return true
	}
	release, ok := l.shares.TryAcquire(c.network)
	if !ok && l.closeIdle(func(other *conn) bool { return other.counted && other.network == c.network }) {
		release, ok = l.shares.TryAcquire(c.network)
	}
	if ok {
		c.leave = release
	}
	return ok
}

// takePlace waits for a place for a connection that was accepted. While no place is
// free, it closes an idle connection, or connections that are too slow. If the
// Listener is closed, takePlace still succeeds if a place is free immediately.
func (l *Listener) takePlace() error {
	for {
		select {
		case l.places <- struct{}{}:
			return nil
		default:
		}
		select {
		case <-l.closed:
			return net.ErrClosed
		default:
		}
		if l.closeIdle(func(*conn) bool { return true }) {
			continue
		}
		l.hurry()
		select {
		case l.places <- struct{}{}:
			return nil
		case <-l.closed:
			return net.ErrClosed
		case <-time.After(hurryEvery):
		}
	}
}

// closeIdle closes the connection that has been idle longest. It considers only
// connections for which the function among returns true. It returns false if none
// of these connections is idle.
func (l *Listener) closeIdle(among func(*conn) bool) bool {
	var longest *conn
	var since time.Time
	l.mu.Lock()
	for c := range l.conns {
		if idle, at := c.idle(); idle && among(c) && (longest == nil || at.Before(since)) {
			longest, since = c, at
		}
	}
	l.mu.Unlock()
	if longest == nil {
		return false
	}
	_ = longest.Close()
	return true
}

// hurry does nothing if at least half of the places are free. Otherwise it closes
// connections that are too slow.
func (l *Listener) hurry() {
	free := cap(l.places) - len(l.places)
	if 2*free >= cap(l.places) {
		return
	}
	l.hurryAll(max(minArrival, l.options.ArrivalTime*time.Duration(2*free)/time.Duration(cap(l.places))))
}

// hurryAll closes every connection whose request or write has taken longer than the
// duration most. It searches at most once per hurryEvery.
func (l *Listener) hurryAll(most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.hurried) < hurryEvery {
		return
	}
	l.hurried = now
	for c := range l.conns {
		c.hurry(now, most)
	}
}

// Close makes Accept return an error.
func (l *Listener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// settleEvery is the time between two checks in Settle.
const settleEvery = 10 * time.Millisecond

// Settle waits until every accepted connection has sent its request, or until ctx
// ends. Call Settle before http.Server.Shutdown, because Shutdown closes each
// connection whose request the server has not read.
func (l *Listener) Settle(ctx context.Context) {
	look := time.NewTicker(settleEvery)
	defer look.Stop()
	for l.unsettled() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *Listener) unsettled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.arrives() {
			return true
		}
	}
	return false
}

// remember adds c to the connections that the Listener may close to make room. The
// time in which c's request must arrive begins now.
func (l *Listener) remember(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.since = time.Now()
	l.conns[c] = struct{}{}
}

// forget removes c from the connections that the Listener may close to make room.
// It frees c's place among the open connections, and removes c from the share of
// c's client network.
func (l *Listener) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	c.leave()
	<-l.places
}
