package main

import (
	"net"
	"sync"
)

// limitConnections accepts at most limit connections at a time from l. (Unlike
// those of golang.org/x/net/netutil, its connections can still be closed in
// one direction, without which net/http cannot deliver an answer to a client
// that is not done sending.)
func limitConnections(l net.Listener, limit int) net.Listener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, limit), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	slots     chan struct{}
	closed    chan struct{}
	closeOnce sync.Once
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, slots: l.slots}, nil
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
