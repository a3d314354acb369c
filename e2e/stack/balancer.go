package stack

import (
	"errors"
	"net"
	"sync"

	"matrixrtc-auth/internal/listen"
)

// Balancer is the load balancer in front of several SFUs. It forwards each TCP
// connection to the next target that accepts connections.
type Balancer struct {
	Host    *Host
	Targets []string // the addresses of the SFUs

	address  string
	listener net.Listener
	open     sync.WaitGroup
	mu       sync.Mutex
	next     int
	conns    map[net.Conn]bool // the open connections; nil after Stop
}

// Address reserves the balancer's address and returns it. Other parts can use the
// address in their configuration before the balancer starts.
func (b *Balancer) Address() (string, error) {
	if b.address != "" {
		return b.address, nil
	}
	var err error
	b.address, err = b.Host.Address()
	return b.address, err
}

// Start makes the balancer accept connections.
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

// Stop closes the listener and all open connections.
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

// dial connects to the next target. If this target refuses, dial tries the following
// targets.
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

// keep records connections that Stop must close. After Stop it returns false.
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

// pipe forwards data from one connection to the other. When one of them ends, it closes
// the other.
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
