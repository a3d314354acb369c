// Package connlimit bounds the connections of an HTTP server. No client can
// shut others out by holding connections, and all connections together take
// little memory.
//
// A [Listener] has a fixed number of places, one for each open connection. One
// client network gets a quarter of them at most. The fewer places are free, the
// less time a request has to arrive; when none is free, idle connections are
// closed. A request with unusually large headers is read only while few other
// large ones are. The Listener replaces net/http's own answers to requests that
// net/http cannot read by answers of the server.
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

// Options configure a [Listener].
type Options struct {
	// Limit is how many connections are served at a time. One more connection may
	// wait for a place.
	Limit int
	// Network returns the network to whose share a peer's connection counts. ok
	// is false for a peer without a share: a proxy, behind which there are many
	// clients. If Network is nil, no peer has a share.
	Network func(peer net.Addr) (network netip.Prefix, ok bool)
	// ArrivalTime is how long a request may take to arrive while at least half of
	// the places are free.
	ArrivalTime time.Duration
	// Keep names the headers that the handler reads. All other headers of a large
	// head are dropped.
	Keep []string
	// Answer returns the whole answer (400, 417, 431, 501 or 505) to a request
	// that net/http could not read. If Answer is nil, net/http answers itself.
	Answer func(status int, peer net.Addr) []byte
	// Log gets the errors of accepting a connection.
	Log *slog.Logger
}

const (
	// networkParts is the number of parts into which the places are divided. One
	// network may have one part at most.
	networkParts = 4
	// minArrival is how long a request may take to arrive when no place is free:
	// enough for two lost segments that TCP sends again.
	minArrival = 2 * time.Second
	// hurryEvery is the time between two searches for late requests.
	hurryEvery = 100 * time.Millisecond
)

// Share returns how many of limit connections one network may have.
func Share(limit int) int { return max(1, limit/networkParts) }

// Listener accepts connections within its bounds. Serve it with
// [Listener.Serve], not with http.Server.Serve.
type Listener struct {
	net.Listener
	options Options
	places  chan struct{} // one for each connection
	shares  *semaphore.Keyed[netip.Prefix]
	heads   *semaphore.Keyed[netip.Prefix]

	closed    chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex
	conns   map[*conn]struct{}
	hurried time.Time // the time of the last search for late requests
}

// New returns a Listener that accepts from l.
func New(l net.Listener, o Options) *Listener {
	o.Keep = append(slices.Clone(o.Keep), "Connection") // net/http itself reads this header
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

// Serve makes server serve the connections, until the server is shut down or
// the listener fails.
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

// Accept returns the next connection, once there is a place for it.
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

// takeShare counts c toward the share of its network. It fails when all of that
// share is in use. The caller then closes c without an answer: clients retry
// after a broken connection, but not after an answer.
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

// takePlace waits for a place for an accepted connection. Meanwhile it closes
// an idle connection and late requests. A connection accepted before Close is
// served if there is a place.
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

// closeIdle closes an idle connection that among accepts, the one that has been
// idle longest. It reports whether there was one.
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

// hurry closes late connections if fewer than half of the places are free.
func (l *Listener) hurry() {
	free := cap(l.places) - len(l.places)
	if 2*free >= cap(l.places) {
		return
	}
	l.hurryAll(max(minArrival, l.options.ArrivalTime*time.Duration(2*free)/time.Duration(cap(l.places))))
}

// hurryAll closes every connection whose request or answer takes longer than
// most.
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

// Close ends Accept.
func (l *Listener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// settleEvery is the time between two searches for connections without a
// request.
const settleEvery = 10 * time.Millisecond

// Settle waits until every accepted connection has sent its request, or ctx
// ends. Call it before http.Server.Shutdown, which closes connections whose
// request it has not read.
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

// remember adds c to the connections that may be closed for others. The time
// for its request begins now.
func (l *Listener) remember(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.since = time.Now()
	l.conns[c] = struct{}{}
}

// forget removes c, and gives back its place and its share.
func (l *Listener) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	c.leave()
	<-l.places
}
