package outbound

import (
	"bufio"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxInformational is how many responses with a 1xx status a server may send
// before the final response.
const maxInformational = 4

// conn is one connection. Only one request uses it at a time.
type conn struct {
	net.Conn          // the connection on which HTTP runs, with TLS or without
	socket    *socket // the TCP connection below TLS
	transport *Transport
	route     Route
	addr      string // the address of the peer, as host:port
	budget    int64  // how many more bytes the current response may have
	head      head   // counts the bytes and lines of the current response's head
	br        *bufio.Reader
	bw        *bufio.Writer
	began     time.Time     // when the last request was sent
	took      time.Duration // the time from sending the last request until the first byte of its answer

	interrupt interrupt

	idleSince time.Time
	element   *list.Element // the connection's entry in [Pool.order] while it is idle
	group     *group        // the group in [Pool.idle] that holds the connection while it is idle
}

func newConn(t *Transport, route Route, nc net.Conn, s *socket) *conn {
	c := &conn{Conn: nc, socket: s, transport: t, route: route, addr: s.RemoteAddr().String()}
	c.interrupt.fire = func() { c.SetDeadline(time.Unix(1, 0)) }
	c.br = bufio.NewReaderSize(c, 2<<10)
	c.bw = bufio.NewWriterSize(nc, 1<<10)
	return c
}

func (c *conn) target() target { return target{c.transport, c.route} }
func (c *conn) place() place   { return place{c.transport, c.socket.host} }

// Read reads from the connection, and counts the bytes that it reads of the
// current response.
func (c *conn) Read(p []byte) (int, error) {
	if c.budget <= 0 {
		return 0, ErrTooLarge
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.budget)])
	c.budget -= int64(n)
	c.socket.credit(n)
	if !c.head.take(p[:n]) {
		return 0, ErrTooLarge
	}
	return n, err
}

// roundTrip sends req, and reads the head of the response. answerTime bounds
// the time until the response begins; 0 means no bound. After an error,
// roundTrip closes the connection.
func (c *conn) roundTrip(req *http.Request, answerTime time.Duration) (*http.Response, error) {
	ctx := req.Context()
	stop := c.begin(ctx, answerTime)
	resp, err := c.exchange(req, answerTime)
	if err != nil {
		stop()
		c.Close()
		return nil, explain(ctx, err)
	}
	keep := !resp.Close && !req.Close && resp.ProtoAtLeast(1, 1)
	resp.Body = &body{ReadCloser: resp.Body, conn: c, stop: stop, ctx: ctx, keep: keep}
	if resp.ContentLength == 0 || req.Method == http.MethodHead {
		resp.Body.(*body).finish(true)
	}
	return resp, nil
}

// begin sets ctx and answerTime as the bounds for reads and writes of the
// connection, until stop is called. stop returns false if ctx had already ended.
func (c *conn) begin(ctx context.Context, answerTime time.Duration) (stop func() bool) {
	c.began = time.Now()
	end, _ := ctx.Deadline()
	c.budget = orDefault(c.transport.MaxResponseBytes, defaultMaxResponseBytes)
	c.head = head{}
	c.SetDeadline(sooner(end, c.began, answerTime))
	c.interrupt.begin(ctx)
	return c.interrupt.end
}

func (c *conn) exchange(req *http.Request, answerTime time.Duration) (*http.Response, error) {
	if err := req.Write(c.bw); err != nil {
		return nil, err
	}
	if err := c.bw.Flush(); err != nil {
		return nil, err
	}
	if err := c.await(); err != nil {
		return nil, err
	}
	if err := c.useOwnDeadline(req.Context(), answerTime); err != nil {
		return nil, err
	}
	return c.readHead(req)
}

// await waits for the answer to begin.
func (c *conn) await() error {
	_, err := c.br.Peek(1)
	c.took = time.Since(c.began)
	return err
}

// useOwnDeadline sets the connection's deadline to the deadline of ctx. It is
// called when the answer has begun. Before that, answerTime sets the deadline,
// unless answerTime is 0.
func (c *conn) useOwnDeadline(ctx context.Context, answerTime time.Duration) error {
	if answerTime == 0 {
		return nil
	}
	deadline, _ := ctx.Deadline()
	c.SetReadDeadline(deadline)
	return ctx.Err()
}

// readHead reads the head of the first response whose status is not 1xx.
func (c *conn) readHead(req *http.Request) (*http.Response, error) {
	for i := range maxInformational + 1 {
		if i > 0 && !c.nextHead() {
			return nil, ErrTooLarge
		}
		resp, err := http.ReadResponse(c.br, req)
		if err != nil {
			return nil, ownWords(err)
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("the server switched protocols without being asked")
		}
		if resp.StatusCode >= 200 {
			return resp, nil
		}
	}
	return nil, fmt.Errorf("the server sent more than %d interim responses (1xx)", maxInformational)
}

// nextHead begins to count the head of the next response. A part of this head
// may already be in the buffer. nextHead reports whether that part is within
// the bounds.
func (c *conn) nextHead() bool {
	buffered, _ := c.br.Peek(c.br.Buffered())
	c.head = head{}
	return c.head.take(buffered)
}

// explain returns the error of ctx if the connection failed because ctx ended,
// and err otherwise. The connection has the same deadline as ctx, but can fail
// a moment before ctx ends.
func explain(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if deadline, ok := ctx.Deadline(); ok && isTimeout(err) && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return err
}

// sooner returns the earlier of two times: deadline, and start + answerTime. A zero
// deadline or answerTime means that this bound does not exist.
func sooner(deadline, start time.Time, answerTime time.Duration) time.Time {
	if answerTime == 0 {
		return deadline
	}
	if limit := start.Add(answerTime); deadline.IsZero() || limit.Before(deadline) {
		return limit
	}
	return deadline
}

// body is the body of a response. If the caller has read the body to its end,
// Close gives the connection back to the pool. Otherwise Close closes the
// connection.
type body struct {
	io.ReadCloser
	conn *conn
	ctx  context.Context
	stop func() bool
	keep bool
	done bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		b.finish(true)
	case err != nil:
		b.finish(false)
		err = explain(b.ctx, ownWords(err))
	}
	return n, err
}

func (b *body) Close() error {
	b.finish(false)
	return nil
}

func (b *body) finish(complete bool) {
	if b.done {
		return
	}
	b.done = true
	// stop returns false if ctx had ended. In this case a goroutine may still
	// be setting the connection's deadline, so the connection is not reused.
	if b.stop() && complete && b.keep && b.conn.br.Buffered() == 0 {
		b.conn.transport.pool().put(b.conn)
		return
	}
	b.conn.Close()
}
