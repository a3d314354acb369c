package stack

import (
	"net"
	"sync"
	"sync/atomic"

	"matrixrtc-auth/internal/listen"
)

// TCPRelay forwards TCP connections. A test can interrupt them, as a broken network
// does.
type TCPRelay struct {
	Host   *Host
	Target string // the address to which the relay forwards

	listener net.Listener
	gate     gate
	held     atomic.Int32
	open     sync.WaitGroup
}

// Start makes the relay listen at a new address.
func (r *TCPRelay) Start() error {
	address, err := r.Host.Address()
	if err != nil {
		return err
	}
	if r.listener, err = listen.TCP(address); err != nil {
		return err
	}
	r.open.Go(r.accept)
	return nil
}

// Address returns the address at which the started relay listens.
func (r *TCPRelay) Address() string { return r.listener.Addr().String() }

// Cut holds back all data that arrives from now on, until Restore, as if the network
// were down. Data that the relay is forwarding at this moment may arrive late, or
// never.
func (r *TCPRelay) Cut()     { r.gate.shut() }
func (r *TCPRelay) Restore() { r.gate.open() }

// Held returns the number of connections that the relay holds back. These are new
// connections, and connections with data to forward. Connections that end do not count.
func (r *TCPRelay) Held() int { return int(r.held.Load()) }

// pass waits until the network is no longer cut. While pass waits, Held counts the
// connection.
func (r *TCPRelay) pass() {
	r.held.Add(1)
	defer r.held.Add(-1)
	r.gate.pass()
}

// Stop closes the listener and all connections.
func (r *TCPRelay) Stop() {
	r.listener.Close()
	r.gate.end()
	r.open.Wait()
}

func (r *TCPRelay) accept() {
	for {
		r.gate.pass()
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.open.Go(func() { r.serve(conn) })
	}
}

func (r *TCPRelay) serve(client net.Conn) {
	defer client.Close()
	r.pass()
	server, err := net.Dial("tcp", r.Target)
	if err != nil {
		return
	}
	defer server.Close()
	stop := r.gate.onEnd(func() { client.Close(); server.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { r.copy(server, client) })
	both.Go(func() { r.copy(client, server) })
	both.Wait()
}

// copy forwards data from one connection to the other. When one of them ends, it closes
// the other.
func (r *TCPRelay) copy(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			r.pass()
		} else {
			r.gate.pass()
		}
		if _, fault := to.Write(buffer[:n]); fault != nil || err != nil {
			return
		}
	}
}
