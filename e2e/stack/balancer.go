package stack

import (
	"errors"
	"net"
	"sync"

	"matrixrtc-auth/internal/listen"
)

// Balancer forwards each TCP connection to a target that accepts it, the
// targets in turn. It is the load balancer in front of several SFUs.
type Balancer struct {
	Host    *Host
	Targets []string // the addresses to which it forwards

	address  string
	listener net.Listener
	open     sync.WaitGroup
	mu       sync.Mutex
	next     int
	conns    map[net.Conn]bool // the open connections; nil after Stop
}

// Address reserves and returns the balancer's address. Other parts can be
// configured with it before it starts.
func (b *Balancer) Address() (string, error) {
	if b.address != "" {
		return b.address, nil
	}
	var err error
	b.address, err = b.Host.Address()
	return b.address, err
}

// Start begins to accept connections.
func (b *Balancer) Start() error {
	address, err := b.Address()
	if err != nil {
		return err
	}
	if b.listener, err = listen.TCP(address); err != nil {
		return err
	}
	b.conns = map[net.Conn]bool{}
	b.open.Go(b.accept)
	return nil
}

// Stop closes the listener and all connections.
func (b *Balancer) Stop() {
	b.listener.Close()
	b.mu.Lock()
	for conn := range b.conns {
		conn.Close()
	}
	b.conns = nil
	b.mu.Unlock()
	b.open.Wait()
}

func (b *Balancer) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.open.Go(func() { b.serve(conn) })
	}
}

func (b *Balancer) serve(client net.Conn) {
	defer client.Close()
	server, err := b.dial()
	if err != nil {
		return
	}
	defer server.Close()
	if !b.keep(client, server) {
		return
	}
	defer b.forget(client, server)
	var both sync.WaitGroup
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
}

// dial connects to the next target. If that refuses, it tries the targets
// after it.
func (b *Balancer) dial() (conn net.Conn, err error) {
	b.mu.Lock()
	first := b.next
	b.next++
	b.mu.Unlock()
	err = errors.New("the balancer has no targets")
	for i := range b.Targets {
		if conn, err = net.Dial("tcp", b.Targets[(first+i)%len(b.Targets)]); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// keep records connections that Stop must close. It returns false after Stop.
func (b *Balancer) keep(conns ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		return false
	}
	for _, conn := range conns {
		b.conns[conn] = true
	}
	return true
}

func (b *Balancer) forget(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range conns {
		delete(b.conns, conn)
	}
}

// pipe forwards data between both sides until one of them ends, and then
// closes the other.
func pipe(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if _, fault := to.Write(buffer[:n]); fault != nil || err != nil {
			return
		}
	}
}
