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

// socket is a TCP connection, on which TLS may run. It bounds the bytes of the TLS
// handshake. After the handshake, it bounds the bytes that belong to no answer.
// Until the socket is closed, it holds a place at its host ([Pool.PerHost]) and its
// handshake bytes ([Pool.MaxHandshakes]).
//
// These bounds are needed because of crypto/tls, which keeps a server's
// certificates as long as the connection is open. It also buffers bytes that belong
// to no answer, such as session tickets.
type socket struct {
	net.Conn
	pool *Pool
	host netip.Prefix // the host at the other end; zero if the socket is not an IP connection

	closed  sync.Once
	release func() // gives the socket's place at the host back; nil if it holds none
	held    int64  // how many bytes of [Pool.MaxHandshakes] the socket holds
	asker   Asker  // the asker for whom the bytes in held count
	resting bool   // true while the connection is idle; then the bytes in held count for no asker

	waited waited // how long the request that opened the connection had to wait

	handshake *handshake // the handshake in progress; nil if there is none
	limited   bool       // whether the field left bounds the bytes that can be read
	left      int64      // how many more bytes can be read
	most      int64      // the highest number, so far, of bytes that were read after the handshake, minus those that credit has counted as part of an answer
}

// handshake is a TLS handshake in progress.
type handshake struct {
	ctx        context.Context // the context of the request that opens the connection
	answerTime time.Duration   // how long the server may take for the handshake; the time that reserve waits does not count
	reserved   bool            // whether the handshake has taken MaxHandshake bytes from the pool
	err        error           // why the socket ended the handshake; nil if it did not
}

const (
	// maxBeside bounds the bytes that a connection can read after the handshake
	// and that belong to no answer. The bound has room for one TLS record (a
	// little over 16 KiB), or for a few session tickets.
	maxBeside = 24 << 10
	// perRecord is the largest number of bytes that TLS adds to one record of
	// an answer.
	perRecord = 64
	// swollen bounds socket.most, in bytes. If most exceeds this bound, the
	// connection's buffers have become so large that the pool does not keep the
	// connection.
	swollen = 8 << 10
)

// secure makes a TLS handshake on s. If the handshake fails, secure closes s.
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
		err = h.err // the error of crypto/tls says only that ctx ended
	}
	return nil, s.waited.excuse(err)
}

func (s *socket) begin(h *handshake) {
	s.SetDeadline(time.Now().Add(h.answerTime))
	s.handshake, s.limited, s.left = h, s.pool.MaxHandshake > 0, s.pool.MaxHandshake
}

// end ends the handshake h. At the first byte of the handshake, s reserved MaxHandshake
// of the MaxHandshakes bytes that the pool allows for all connections. If ok is false,
// end gives back all reserved bytes. If ok is true, s keeps some of them: as many as the
// handshake has read, or as the certificates weigh, whichever is more. end gives back
// the others.
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

// Read counts bytes before crypto/tls gets them. At the start of a handshake it
// reads only one byte, and then takes bytes of [Pool.MaxHandshakes]. A server
// that sends nothing therefore takes no bytes.
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

// reserve waits until the pool has enough free bytes for a whole handshake. The
// wait does not count as time that the server took.
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

// credit tells s that n of the bytes that s has read belong to an answer. The
// bound maxBeside applies only to bytes that do not belong to an answer.
func (s *socket) credit(n int) {
	s.left = min(s.left+int64(n)+perRecord, maxBeside)
}

// isSwollen reports whether the connection's buffers have become so large that
// the pool must not keep the connection.
func (s *socket) isSwollen() bool { return s.limited && s.most > swollen }

// Close closes the connection. Its place at the host and its bytes of
// [Pool.MaxHandshakes] become free for other connections.
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

// reserve waits until there is space in [Pool.MaxHandshakes] for the bytes of one more
// handshake, and takes this space for the asker. It takes [Pool.MaxHandshake] bytes,
// because nobody knows yet how many bytes the handshake has. hadTo reports whether
// reserve had to wait.
func (p *Pool) reserve(ctx context.Context, asker Asker) (hadTo bool, err error) {
	if !p.bytes.TryTake(asker, int(p.MaxHandshake)) {
		inquiry.Hold(ctx) // tells other askers not to wait for the inquiry that makes this request
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
// than MaxHandshakes. In this case the pool must close idle connections.
func (p *Pool) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest+int64(p.bytes.Taken()) > p.maxHandshakes()
}
