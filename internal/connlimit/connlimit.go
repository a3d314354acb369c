// Package connlimit bounds the connections of an HTTP server, so that nobody
// keeps others out by holding them, and that all of them together take little
// memory.
//
// A [Listener] has a number of places, one for each open connection. Of them
// one client network may take a quarter. As places run short, requests must
// arrive in less time; when all are taken, connections that are merely kept give
// way. A request whose headers are larger than what clients send is read only
// while few others are. What net/http answers by itself, to a request that it
// cannot read, is replaced by an answer of the server's own.
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

// Options are what a server says of its connections.
type Options struct {
	// Limit is how many connections are served at a time; one more may be waiting
	// for its place.
	Limit int
	// Network returns the network whose share a peer's connection counts for. ok
	// is false for a peer without a share: a proxy, behind which many clients
	// are. A nil Network gives nobody one.
	Network func(peer net.Addr) (network netip.Prefix, ok bool)
	// ArrivalTime is how long a request may take to arrive while half of the
	// places are free.
	ArrivalTime time.Duration
	// Keep are the headers that the handler reads; of a large head it gets no
	// others.
	Keep []string
	// Answer returns the whole answer with that status to a request that
	// net/http could not read, and so never gave to the handler: 400, 417, 431,
	// 501 or 505. nil leaves net/http's own.
	Answer func(status int, peer net.Addr) []byte
	// Log hears why no connection can be accepted.
	Log *slog.Logger
}

const (
	// shares is how many networks it takes to use all places.
	shares = 4
	// minArrival is what a request may take when no place is free, in time for
	// two segments that were lost and sent again.
	minArrival = 2 * time.Second
	// hurryEvery is the time between two looks at who is late.
	hurryEvery = 100 * time.Millisecond
)

// Share is how many connections one network may have of limit.
func Share(limit int) int { return max(1, limit/shares) }

// Listener accepts connections within its bounds. It must be given to
// [Listener.Serve], not to http.Server.Serve.
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
	hurried time.Time // when somebody last looked who is late
}

// New returns a Listener that accepts from l.
func New(l net.Listener, o Options) *Listener {
	o.Keep = append(slices.Clone(o.Keep), "Connection") // which net/http reads
	return &Listener{
		Listener: l,
		options:  o,
		places:   make(chan struct{}, o.Limit),
		shares:   semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: Share(o.Limit)}),
		heads:    semaphore.New[netip.Prefix](semaphore.Bounds{Total: largeHeads, Share: largeHeads / shares}),
		closed:   make(chan struct{}),
		conns:    make(map[*conn]struct{}),
	}
}

// Serve has server serve the connections, until it is shut down or the listener
// fails.
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

// Accept returns the next connection that may have a place.
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

// takeShare counts c for its network. It fails when the network has its share,
// and all of it in use. Such a connection is closed without an answer: clients
// try again after a broken connection, and take an answer for the last word.
func (l *Listener) takeShare(c *conn) bool {
	if l.options.Network != nil {
		c.network, c.shares = l.options.Network(c.RemoteAddr())
	}
	if !c.shares {
		return true
	}
	release, ok := l.shares.TryAcquire(c.network)
	if !ok && l.closeIdle(func(other *conn) bool { return other.shares && other.network == c.network }) {
		release, ok = l.shares.TryAcquire(c.network)
	}
	if ok {
		c.leave = release
	}
	return ok
}

// takePlace waits for a place for a connection that is there. One without a
// request gives way to it, and late requests are ended. A connection that was
// accepted before Close is served if there is a place.
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

// closeIdle closes that one among the connections without a request that has
// been idle for the longest, and reports whether there was one.
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

// hurry ends what is late, if places are short.
func (l *Listener) hurry() {
	free := cap(l.places) - len(l.places)
	if 2*free >= cap(l.places) {
		return
	}
	l.hurryAll(max(minArrival, l.options.ArrivalTime*time.Duration(2*free)/time.Duration(cap(l.places))))
}

// hurryAll ends what has taken more than most.
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

// settleEvery is the time between two looks at what has not sent its request.
const settleEvery = 10 * time.Millisecond

// Settle waits until every connection that was accepted has sent its request, or
// ctx ends. It is for before http.Server.Shutdown, which ends without an answer
// what it has not read by then.
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

// remember has c among those that may have to end; its time begins.
func (l *Listener) remember(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.since = time.Now()
	l.conns[c] = struct{}{}
}

// forget gives back what c has taken.
func (l *Listener) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	c.leave()
	<-l.places
}
