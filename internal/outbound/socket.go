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

// socket is the connection that TLS runs on. It bounds what is read besides
// answers. Until it is closed, it holds its place and its handshake bytes.
//
// crypto/tls keeps the certificates of a server as long as the connection is
// open, and buffers what belongs to no answer, such as session tickets.
type socket struct {
	net.Conn
	pool *Pool
	host netip.Prefix // zero if it is no IP connection

	closed  sync.Once
	release func() // gives the place back; nil if it holds none
	held    int64  // bytes that it takes of [Pool.MaxHandshakes]
	asker   Asker  // the asker whose share of the bytes this counts to
	resting bool   // the bytes count to no asker, because the connection is or was idle

	waited waited // the wait of the request that opened it

	handshake *handshake // nil when none is under way
	limited   bool       // whether the bound left applies
	left      int64      // how many bytes may still be read
	most      int64      // the most bytes read at once besides answers
}

// handshake is the state of a bounded TLS handshake.
type handshake struct {
	ctx        context.Context // the request's
	answerTime time.Duration   // how long the server may take
	reserved   bool
	err        error // why the socket ended it
}

const (
	// maxBeside bounds what a connection may read besides its answers after the
	// handshake: one TLS record (a little over 16 KiB), or a few session tickets.
	maxBeside = 24 << 10
	// perRecord is the most that TLS adds to one record of an answer.
	perRecord = 64
	// swollen is the number of bytes at once, besides answers, that make the
	// buffers too large to be kept.
	swollen = 8 << 10
)

// secure makes the TLS handshake on s. It closes s if the handshake fails.
func (t *Transport) secure(ctx context.Context, s *socket, name string) (net.Conn, error) {
	secured := tls.Client(s, t.tlsConfig(name))
	h := &handshake{ctx: ctx, answerTime: orDefault(t.HandshakeTimeout, defaultHandshakeTimeout)}
	s.begin(h)
	s.asker = AskerOf(ctx)
	err := secured.HandshakeContext(ctx)
	s.end(h, secured.ConnectionState().PeerCertificates, err == nil)
	if err == nil {
		return secured, nil
	}
	s.Close()
	if h.err != nil {
		err = h.err // crypto/tls only says that ctx ended
	}
	return nil, s.waited.excuse(err)
}

func (s *socket) begin(h *handshake) {
	s.SetDeadline(time.Now().Add(h.answerTime))
	s.handshake, s.limited, s.left = h, s.pool.MaxHandshake > 0, s.pool.MaxHandshake
}

// end makes s hold the bytes that the handshake has read or, if that is more,
// the weight of its certificates.
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

// Read counts the bytes before crypto/tls gets them. It reads the first byte of
// a handshake alone, so that a silent server takes nothing of
// [Pool.MaxHandshakes].
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

// reserve waits until the pool allows a whole handshake. That wait does not
// count as the server's time.
func (s *socket) reserve() error {
	h := s.handshake
	s.SetDeadline(time.Time{})
	defer func() { s.SetDeadline(time.Now().Add(h.answerTime)) }()
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

// credit tells s that the caller has read n bytes of an answer.
func (s *socket) credit(n int) {
	s.left = min(s.left+int64(n)+perRecord, maxBeside)
}

// isSwollen reports whether the connection has large buffers.
func (s *socket) isSwollen() bool { return s.limited && s.most > swollen }

// Close closes the connection, and gives back its place and its handshake
// bytes.
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

// reserve waits until one more handshake may be read. It takes
// [Pool.MaxHandshake] bytes until the real number is known. hadTo reports that
// it had to wait.
func (p *Pool) reserve(ctx context.Context, asker Asker) (hadTo bool, err error) {
	if !p.bytes.TryTake(asker, int(p.MaxHandshake)) {
		inquiry.Hold(ctx) // tells other askers not to wait for this inquiry
		if err := p.bytes.Take(ctx, asker, int(p.MaxHandshake)); err != nil {
			return true, err
		}
		hadTo = true
	}
	for p.isOver() && p.closeOldest(func(c *conn) bool { return c.socket.held > 0 }) {
	}
	return hadTo, nil
}

// isOver reports whether the handshakes of open connections hold more bytes
// than MaxHandshakes, so that idle connections must be closed.
func (p *Pool) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest+int64(p.bytes.Taken()) > p.maxHandshakes()
}
