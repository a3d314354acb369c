package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"matrixrtc-auth/internal/inquiry"
)

// socket is a connection below TLS. It bounds what is read beside answers, and
// until it is closed it holds its place and what its handshake has read.
//
// crypto/tls keeps the certificates that it was sent as long as the connection
// is open, and buffers what belongs to no answer, as session tickets.
type socket struct {
	net.Conn
	pool *Pool
	host netip.Prefix // zero if it is no IP connection

	closed  sync.Once
	release func() // gives the place back, nil if there is none
	held    int64  // bytes of [Pool.MaxHandshakes]
	asker   Asker  // who has taken them
	resting bool   // nobody has: the connection is or was idle

	waited waited // for the request that opened it

	handshake *handshake // nil outside of one
	limited   bool       // whether left counts
	left      int64      // bytes that may still be read
	most      int64      // bytes that were read at once beside answers
}

// handshake is the state of a bounded one.
type handshake struct {
	ctx      context.Context // the request's
	patience time.Duration   // for the server
	reserved bool
	err      error // why the socket ended it
}

const (
	// maxBeside bounds what a connection may read beyond the answers that were
	// taken from it, once its handshake is over: one record of TLS (16 KiB and
	// some), or a few session tickets.
	maxBeside = 24 << 10
	// perRecord is what TLS adds to a record of an answer, at most.
	perRecord = 64
	// swollen is how much of that leaves buffers behind that are too large to
	// be kept.
	swollen = 8 << 10
)

// secure makes the TLS handshake on s, which it closes if that fails.
func (t *Transport) secure(ctx context.Context, s *socket, name string) (net.Conn, error) {
	secured := tls.Client(s, t.tlsConfig(name))
	h := &handshake{ctx: ctx, patience: orDefault(t.HandshakeTimeout, defaultHandshakeTimeout)}
	s.begin(h)
	s.asker = AskerOf(ctx)
	err := secured.HandshakeContext(ctx)
	s.end(h, secured.ConnectionState().PeerCertificates, err == nil)
	if err == nil {
		return secured, nil
	}
	s.Close()
	if h.err != nil {
		err = h.err // crypto/tls says that ctx ended
	}
	return nil, s.waited.excuse(err)
}

func (s *socket) begin(h *handshake) {
	s.SetDeadline(time.Now().Add(h.patience))
	s.handshake, s.limited, s.left = h, s.pool.MaxHandshake > 0, s.pool.MaxHandshake
}

// end has s hold what the handshake has read, or what its certificates count
// for, if it succeeded.
func (s *socket) end(h *handshake, chain []*x509.Certificate, ok bool) {
	read := s.pool.MaxHandshake - s.left
	s.handshake, s.left = nil, maxBeside
	switch {
	case h.reserved && ok:
		s.held = min(max(read, weight(chain)), s.pool.MaxHandshake)
		s.pool.bytes.Give(s.asker, int(s.pool.MaxHandshake-s.held))
	case h.reserved:
		s.pool.bytes.Give(s.asker, int(s.pool.MaxHandshake))
	}
}

// Read counts before crypto/tls sees anything. The first byte of a handshake is
// read alone: a server that stays silent takes no room from others.
func (s *socket) Read(p []byte) (int, error) {
	if !s.limited {
		return s.Conn.Read(p)
	}
	if s.left <= 0 {
		return 0, s.overrun()
	}
	first := s.handshake != nil && !s.handshake.reserved
	if first {
		p = p[:min(len(p), 1)]
	}
	n, err := s.Conn.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if s.handshake == nil {
		s.most = max(s.most, maxBeside-s.left)
	}
	if first && n > 0 {
		if err := s.reserve(); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (s *socket) overrun() error {
	if s.handshake == nil {
		return ErrTooLarge
	}
	s.handshake.err = fmt.Errorf("the server sent more than %d bytes, so its certificates are too many or too large", s.pool.MaxHandshake)
	return s.handshake.err
}

// reserve waits for room for a whole handshake. That time is not the server's.
func (s *socket) reserve() error {
	h := s.handshake
	s.SetDeadline(time.Time{})
	defer func() { s.SetDeadline(time.Now().Add(h.patience)) }()
	hadTo, err := s.pool.reserve(h.ctx, s.asker)
	if hadTo {
		s.waited = waited{until: time.Now()}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		h.err = &CrowdedError{}
	case err != nil:
		h.err = err
	}
	h.reserved = err == nil
	return h.err
}

// credit tells s that n bytes of an answer were taken from the connection.
func (s *socket) credit(n int) {
	s.left = min(s.left+int64(n)+perRecord, maxBeside)
}

// isSwollen reports whether the connection has large buffers.
func (s *socket) isSwollen() bool { return s.limited && s.most > swollen }

// Close gives back what s holds.
func (s *socket) Close() error {
	err := s.Conn.Close()
	s.closed.Do(func() {
		if s.release != nil {
			s.release()
		}
		if s.held > 0 && !s.resting {
			s.pool.bytes.Give(s.asker, int(s.held))
		}
	})
	return err
}

// reserve waits until one more handshake may be read, which takes
// [Pool.MaxHandshake] until it is known how much it is. hadTo: there was none.
func (p *Pool) reserve(ctx context.Context, asker Asker) (hadTo bool, err error) {
	if !p.bytes.TryTake(asker, int(p.MaxHandshake)) {
		inquiry.Hold(ctx) // others may have room
		if err := p.bytes.Take(ctx, asker, int(p.MaxHandshake)); err != nil {
			return true, err
		}
		hadTo = true
	}
	for p.isOver() && p.closeOldest(func(c *conn) bool { return c.socket.held > 0 }) {
	}
	return hadTo, nil
}

// isOver reports whether idle connections have to go.
func (p *Pool) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest+int64(p.bytes.Taken()) > p.maxHandshakes()
}
