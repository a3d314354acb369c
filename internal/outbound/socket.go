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

// socket is a TCP connection, on which TLS may run. It bounds the bytes that
// are read besides answers. Until it is closed, it holds its place and its
// handshake bytes.
//
// The bounds are needed because crypto/tls keeps a server's certificates as
// long as the connection is open, and buffers what is not part of an answer,
// such as session tickets.
type socket struct {
	net.Conn
	pool *Pool
	host netip.Prefix // the host at the other end; zero if this is not an IP connection

	closed  sync.Once
	release func() // gives the place back; nil if the socket holds none
	held    int64  // how many bytes of [Pool.MaxHandshakes] the socket holds
	asker   Asker  // the asker to whose share these bytes count
	resting bool   // whether the bytes count for no asker, because the connection is or was idle

	waited waited // how long the request that opened the connection had to wait

	handshake *handshake // the handshake in progress; nil if there is none
	limited   bool       // whether left bounds the bytes that may be read
	left      int64      // how many more bytes may be read
	most      int64      // the most bytes that were read at once and are not part of an answer
}

// handshake is a TLS handshake in progress, whose bytes and time are bounded.
type handshake struct {
	ctx        context.Context // the context of the request that opens the connection
	answerTime time.Duration   // how long the server may take for the handshake, without waits of our own
	reserved   bool            // whether the pool holds MaxHandshake bytes for the handshake
	err        error           // why the socket ended the handshake; nil if it did not
}

const (
	// maxBeside bounds how many bytes that belong to no answer a connection may
	// read after the handshake. This is enough for one TLS record (a little
	// over 16 KiB), or for a few session tickets.
	maxBeside = 24 << 10
	// perRecord is the most bytes that TLS adds to one record of an answer.
	perRecord = 64
	// swollen is a number of bytes: if more bytes that belong to no answer were
	// read at once, the buffers of the connection have become so large that it
	// is not kept.
	swollen = 8 << 10
)

// secure makes the TLS handshake on s. If the handshake fails, it closes s.
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
		err = h.err // because the error of crypto/tls only says that ctx ended
	}
	return nil, s.waited.excuse(err)
}

func (s *socket) begin(h *handshake) {
	s.SetDeadline(time.Now().Add(h.answerTime))
	s.handshake, s.limited, s.left = h, s.pool.MaxHandshake > 0, s.pool.MaxHandshake
}

// end makes s hold as many bytes as the handshake has read, or as its
// certificates weigh, whichever is more.
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

// Read counts the bytes before crypto/tls gets them. It reads the first byte
// of a handshake by itself, so that a server that sends nothing takes no bytes
// of [Pool.MaxHandshakes].
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

// reserve waits until the pool has enough free bytes for a whole handshake.
// The server's time for the handshake does not run during this wait.
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

// credit tells s that n of the bytes that it has read were part of an answer.
func (s *socket) credit(n int) {
	s.left = min(s.left+int64(n)+perRecord, maxBeside)
}

// isSwollen reports whether the buffers of the connection have become too
// large to keep it.
func (s *socket) isSwollen() bool { return s.limited && s.most > swollen }

// Close closes the connection. It gives back the place and the handshake bytes.
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
// [Pool.MaxHandshake] bytes, because it is not yet known how many the
// handshake has. hadTo reports whether it had to wait.
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
// than MaxHandshakes. Then idle connections must be closed.
func (p *Pool) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest+int64(p.bytes.Taken()) > p.maxHandshakes()
}
