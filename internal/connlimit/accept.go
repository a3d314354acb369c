package connlimit

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// The pauses after a connection could not be accepted, each twice the one before.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// acceptPatiently accepts a connection. It goes on after errors that pass: no
// descriptor or memory left, a client that is gone already, a network that is
// down. A connection without a request gives way meanwhile, with its descriptor, and
// so do late requests.
func (l *Listener) acceptPatiently() (net.Conn, error) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		c, err := l.Listener.Accept()
		if err == nil || isFinal(err) {
			return c, err
		}
		l.options.Log.Warn("no connection can be accepted", "error", err, "again_in", pause.String())
		l.closeIdle(func(*conn) bool { return true })
		l.hurryAll(minArrival) // places are free, but nothing to fill them with
		select {
		case <-time.After(pause):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// isFinal reports whether a listener will not accept any more: it is closed, or
// is none (accept(2)).
func isFinal(err error) bool {
	if _, ok := errors.AsType[syscall.Errno](err); !ok {
		return true
	}
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK)
}
