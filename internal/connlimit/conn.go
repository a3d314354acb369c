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

// conn is a connection that has a place.
type conn struct {
	net.Conn
	listener *Listener
	network  netip.Prefix
	shares   bool   // its place counts for the share of its network
	leave    func() // gives the share back

	mu      sync.Mutex
	phase   phase
	since   time.Time // when the phase began
	kept    bool      // a request was answered before
	late    bool      // it was ended for being late
	written time.Time // when the write that is under way began, or zero
	stream  stream
	large   func() // gives back the place of a large head; nil without one

	closed bool

	body arriving

	closeOnce sync.Once
	closeErr  error
}

// phase is how far the current request is.
type phase int

const (
	quiet    phase = iota // nothing of it has come
	incoming              // it is being read
	complete              // all of it has come
)

// Read reads for net/http. What makes a head a large one is handed over when it
// is its turn: up to then it is nothing but bytes in the reader's buffer.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	switch large, tooLong := c.count(p[:n]); {
	case tooLong:
		c.answer(http.StatusRequestHeaderFieldsTooLarge)
		return 0, &net.OpError{Op: "read", Err: errTooLong} // net/http answers no error of reading
	case large:
		if err := c.awaitTurn(); err != nil {
			return 0, err
		}
	}
	return n, err
}

var errTooLong = errors.New("the head of the request has too many lines")

// count takes note of what was read, and reports whether the head has become a
// large one, or too long.
func (c *conn) count(p []byte) (large, tooLong bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == quiet {
		c.phase, c.since = incoming, time.Now()
	}
	c.stream.take(p)
	return c.stream.isLarge() && c.large == nil, c.stream.isTooLong()
}

// awaitTurn waits until a large head may be read.
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

// Write writes for net/http, whose own answers are replaced.
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

// past is a deadline that is over.
var past = time.Unix(1, 0)

// SetReadDeadline keeps the end of a connection that is late.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late {
		t = past
	}
	return c.Conn.SetReadDeadline(t)
}

// hurry ends the connection if it is late: a request that is being read, or an
// answer that is not, has taken more than most.
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

// arrives reports whether a request is being read, or is the first one and has not
// come yet.
func (c *conn) arrives() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaitsRequest()
}

// awaitsRequest is arrives with c.mu held.
func (c *conn) awaitsRequest() bool { return c.phase == incoming || c.phase == quiet && !c.kept }

// idle reports whether the connection is kept without a request, and since when.
func (c *conn) idle() (idle bool, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept && c.phase == quiet, c.since
}

// answered says that the request is over, and the connection is kept.
func (c *conn) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.since, c.kept = quiet, time.Now(), true
	c.giveBack()
}

// headRead says that net/http has read the head of a request. Of a large one the
// request keeps what the handler needs.
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

// cost is about what values take in memory, in bytes.
func cost(values []string) (sum int) {
	const each = 32
	for _, value := range values {
		sum += each + len(value)
	}
	return sum
}

// giveBack gives back the place of a large head; c.mu is held.
func (c *conn) giveBack() {
	if c.large != nil {
		c.large()
		c.large = nil
	}
}

// arrived says that all of the request has come, which w answers. If the next one
// has, too, the connection ends with the answer: its client sends that again.
func (c *conn) arrived(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.since = complete, time.Now()
	if c.stream.more {
		w.Header().Set("Connection", "close")
	}
}

// Close closes the connection and gives its place back.
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

// CloseWrite tells the client that the answer is complete. Without it net/http
// cannot deliver one to a client that is not done sending.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// watched has the connection know how far the handler's request is.
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
		own := *r // net/http looks at the body of its own
		own.Body = &c.body
		next.ServeHTTP(w, &own)
	})
}

// arriving is the body of a request that is being read, and is answered by w.
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
