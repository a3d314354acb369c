package main

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// limitConnections accepts at most limit connections at a time from l. While all
// are in use, relieve is called each second to end those that are merely kept:
// or one client could keep all others out by doing nothing.
//
// (Unlike those of golang.org/x/net/netutil, its connections can still be
// closed in one direction, without which net/http cannot deliver an answer to
// a client that is not done sending.)
func limitConnections(l net.Listener, limit int, relieve func()) net.Listener {
	return &limitedListener{
		Listener: l,
		slots:    make(chan struct{}, limit),
		relieve:  relieve,
		closed:   make(chan struct{}),
	}
}

// closeIdle ends the connections of server that carry no request.
func closeIdle(server *http.Server) func() {
	return func() {
		server.SetKeepAlivesEnabled(false)
		server.SetKeepAlivesEnabled(true)
	}
}

type limitedListener struct {
	net.Listener
	slots     chan struct{}
	relieve   func()
	closed    chan struct{}
	closeOnce sync.Once
}

func (l *limitedListener) Accept() (net.Conn, error) {
	if err := l.takeSlot(); err != nil {
		return nil, err
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, slots: l.slots}, nil
}

func (l *limitedListener) takeSlot() error {
	for wait := time.Duration(0); ; wait = time.Second {
		select {
		case l.slots <- struct{}{}:
			return nil
		case <-l.closed:
			return net.ErrClosed
		case <-time.After(wait):
			if len(l.slots) == cap(l.slots) {
				l.relieve()
			}
		}
	}
}

func (l *limitedListener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	slots     chan struct{}
	closeOnce sync.Once
}

func (c *limitedConn) Close() error {
	defer c.closeOnce.Do(func() { <-c.slots })
	return c.Conn.Close()
}

// CloseWrite tells the client that the answer is complete.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
