package connlimit

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// The pauses after a failed accept. Each pause is twice as long as the one
// before.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// acceptPatiently accepts a connection. It tries again after temporary errors:
// no descriptor or memory is left, the client has already gone, or a network is
// down. Meanwhile it closes idle connections and late requests, to free their
// descriptors.
func (l *Listener) acceptPatiently() (net.Conn, error) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		c, err := l.Listener.Accept()
		if err == nil || isFinal(err) {
			return c, err
		}
		l.options.Log.Warn("no connection can be accepted", "error", err, "again_in", pause.String())
		l.closeIdle(func(*conn) bool { return true })
		l.hurryAll(minArrival) // no descriptor is free, although places are
		select {
		case <-time.After(pause):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// isFinal reports whether the listener will accept nothing more: it is closed,
// or it is not a listening socket (accept(2)).
func isFinal(err error) bool {
	if _, ok := errors.AsType[syscall.Errno](err); !ok {
		return true
	}
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK)
}
