package matrixtest

import (
	"bytes"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pipe is a connection in memory: a [net.Pipe] with an address. Unlike a
// [net.Pipe], a write to a pipe does not wait for a read.
type pipe struct {
	net.Conn
	addr   string
	frozen atomic.Bool

	mu     sync.Mutex
	queue  chan []byte
	closed bool
}

// queueLength is how many writes the pipe stores until the peer reads them.
const queueLength = 4096

func newPipe(c net.Conn, addr string) *pipe {
	p := &pipe{Conn: c, addr: addr, queue: make(chan []byte, queueLength)}
	go p.deliver()
	return p
}

func (p *pipe) deliver() {
	defer p.Conn.Close()
	for b := range p.queue {
		if _, err := p.Conn.Write(b); err != nil {
			return
		}
	}
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, net.ErrClosed
	case p.frozen.Load():
		return len(b), nil
	}
	select {
	case p.queue <- bytes.Clone(b):
		return len(b), nil
	default:
		return 0, os.ErrDeadlineExceeded // the queue is full, because the peer does not read
	}
}

// Close closes the pipe. The peer can no longer read what it has not read yet.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.queue)
		p.Conn.SetDeadline(time.Unix(1, 0))
	}
	return nil
}

// SetDeadline sets only the deadline for reads. There is no deadline for
// writes, because a write never waits.
func (p *pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

func (p *pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	return p.Conn.SetReadDeadline(t)
}

func (p *pipe) RemoteAddr() net.Addr { return address(p.addr) }
