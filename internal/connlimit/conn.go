package connlimit

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"
)

// conn is an accepted connection, which takes one place of its Listener.
type conn struct {
	net.Conn
	listener *Listener
	network  netip.Prefix
	counted  bool   // whether the connection counts toward the places that its network may take
	leave    func() // ends the counting of the connection toward these places; does nothing if the connection is not counted

	mu      sync.Mutex
	phase   phase
	since   time.Time // when the current phase began
	kept    bool      // whether a request was already answered on the connection
	late    bool      // whether the Listener closed the connection because its request or answer took too long
	written time.Time // when the current write began; zero if no write is in progress
	stream  stream
	large   func() // ends this connection's turn to read a large head; nil while the connection has no turn

	closed bool

	body  arriving
	watch watch

	closeOnce sync.Once
	closeErr  error
}

// phase says how much of the current request has arrived.
type phase int

const (
	quiet    phase = iota // nothing of the request has arrived
	incoming              // a part of the request has arrived
	complete              // the whole request has arrived
)

// Read is the method that net/http calls to read a request. Only a few
// connections at the same time may read a large head (largeHeads). If the head
// is large, Read waits until it is this connection's turn. Until then net/http
// has only the bytes in its buffer, which take little memory, and has parsed no
// headers.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	switch large, tooLong := c.count(p[:n]); {
	case tooLong:
		c.answer(http.StatusRequestHeaderFieldsTooLarge)
		return 0, &net.OpError{Op: "read", Err: errTooLong} // after a read error of this type, net/http closes the connection without an answer
	case large:
		if err := c.awaitTurn(); err != nil {
			return 0, err
		}
	}
	return n, err
}

var errTooLong = errors.New("the head of the request has too many lines")

// count adds the bytes p to the head of the current request. The result large says
// that p has made the head a large one. The result tooLong says that the head has
// too many lines.
func (c *conn) count(p []byte) (large, tooLong bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == quiet {
		c.phase, c.since = incoming, time.Now()
	}
	c.stream.take(p)
	return c.stream.isLarge() && c.large == nil, c.stream.isTooLong()
}

// awaitTurn waits until it is this connection's turn to read a large head.
func (c *conn) awaitTurn() error {
	ctx, cancel := context.WithTimeout(context.Background(), headWait)
	defer cancel()
	release, err := c.listener.heads.Acquire(ctx, c.network)
	if err != nil {
		return os.ErrDeadlineExceeded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		release()
		return net.ErrClosed
	}
	c.large = release
	return nil
}

// Write is the method that net/http calls to send an answer. If net/http itself
// made this answer because of an error, Write sends the answer from
// [Options].Answer instead.
func (c *conn) Write(p []byte) (int, error) {
	c.writing(time.Now())
	defer c.writing(time.Time{})
	status := ownStatus(p)
	if status == 0 || c.listener.options.Answer == nil {
		return c.Conn.Write(p)
	}
	c.answer(status)
	return len(p), nil
}

func (c *conn) writing(since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = since
}

// past is a time in the past. A deadline at this time ends a read or write
// immediately.
var past = time.Unix(1, 0)

// SetReadDeadline sets a deadline for net/http. If the connection is late
// ([conn.hurry]), the deadline stays in the past, so that net/http cannot let the
// read go on.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late {
		t = past
	}
	return c.Conn.SetReadDeadline(t)
}

// hurry ends the read or the write of a connection that is late. A connection is
// late if its request has been arriving, or one of its writes has been in progress,
// for longer than the duration most.
func (c *conn) hurry(now time.Time, most time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaitsRequest() && now.Sub(c.since) > most {
		c.late = true
		_ = c.Conn.SetReadDeadline(past)
	}
	if !c.written.IsZero() && now.Sub(c.written) > most {
		_ = c.Conn.SetWriteDeadline(past)
	}
}

// arrives reports whether the connection still waits for the rest of a request, or
// for its very first request.
func (c *conn) arrives() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaitsRequest()
}

// awaitsRequest reports the same as arrives: whether the connection waits for the rest
// of a request, or for its first request. The caller holds c.mu.
func (c *conn) awaitsRequest() bool { return c.phase == incoming || c.phase == quiet && !c.kept }

// idle reports whether the connection has answered a request and now waits for the
// next one. The result since is when this wait began.
func (c *conn) idle() (idle bool, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept && c.phase == quiet, c.since
}

// answered records that the request has ended, and that the connection stays open.
func (c *conn) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.since, c.kept = quiet, time.Now(), true
	c.giveBack()
}

// headRead records that net/http has read the head of a request. If the head is
// large, headRead drops all headers that the handler does not need.
func (c *conn) headRead(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = incoming
	c.stream.headRead(r.ContentLength)
	if c.large == nil {
		return
	}
	kept := len(r.RequestURI)
	some := http.Header{}
	for _, name := range c.listener.options.Keep {
		name = http.CanonicalHeaderKey(name)
		if values := r.Header[name]; values != nil {
			some[name] = values
			kept += cost(values)
		}
	}
	r.Header = some
	if kept < maxKept {
		c.giveBack()
	}
}

// cost returns roughly how many bytes of memory the values of a header take.
func cost(values []string) (sum int) {
	const each = 32
	for _, value := range values {
		sum += each + len(value)
	}
	return sum
}

// giveBack ends the turn to read a large head. The caller holds c.mu.
func (c *conn) giveBack() {
	if c.large != nil {
		c.large()
		c.large = nil
	}
}

// arrived records that the whole request has arrived. w writes the answer to this
// request. If a part of the next request has arrived already, arrived makes the
// connection close after the answer. The client then sends the next request again
// on another connection.
func (c *conn) arrived(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.since = complete, time.Now()
	if c.stream.more {
		w.Header().Set("Connection", "close")
	}
}

// Close closes the connection and frees its place.
func (c *conn) Close() error {
	c.closeOnce.Do(func() {
		c.closeErr = c.Conn.Close()
		c.mu.Lock()
		c.closed = true
		c.giveBack()
		c.mu.Unlock()
		c.listener.forget(c)
	})
	return c.closeErr
}

// CloseWrite tells the client that the answer is complete. net/http calls it to
// answer a client that is still sending.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// watched wraps the handler next. The wrapper tells the connection how much of the
// request has arrived.
func watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		c.headRead(r)
		if r.Body == http.NoBody {
			c.arrived(w)
			next.ServeHTTP(w, r)
			return
		}
		c.body = arriving{r.Body, c, w}
		own := *r // a copy, because net/http still uses the body of the original request
		own.Body = &c.body
		c.watch.delay(r.Body)
		defer c.watch.end()
		next.ServeHTTP(w, &own)
	})
}

// arriving is the body of a request. Possibly only a part of the body has arrived
// so far. The field w writes the answer to the request.
type arriving struct {
	io.ReadCloser
	conn *conn
	w    http.ResponseWriter
}

func (b *arriving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.conn.arrived(b.w)
	}
	return n, err
}
