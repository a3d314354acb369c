package connlimit

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// The pauses after an accept that failed. Each pause is twice as long as the
// pause before it.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// acceptPatiently accepts a connection. After a temporary error it tries again.
// Temporary errors mean that this process has no free descriptor or memory, that
// the client has already disconnected, or that a network is down. Before each new
// try, acceptPatiently frees descriptors: it closes idle connections, and
// connections that are too slow.
func (l *Listener) acceptPatiently() (net.Conn, error) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		c, err := l.Listener.Accept()
		if err == nil || isFinal(err) {
			return c, err
		}
		l.options.Log.Warn("no connection can be accepted", "error", err, "again_in", pause.String())
		l.closeIdle(func(*conn) bool { return true })
		l.hurryAll(minArrival) // needed here too, because descriptors can run out while the Listener still has free places
		select {
		case <-time.After(pause):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// isFinal reports whether err means that the listener will never accept another
// connection. For example, the listener is closed, or is not a listening socket.
// See accept(2).
func isFinal(err error) bool {
	if _, ok := errors.AsType[syscall.Errno](err); !ok {
		return true
	}
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK)
}
