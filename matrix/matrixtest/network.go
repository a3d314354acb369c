package matrixtest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// Network is an internet in memory. It has names, SRV records, and servers at
// any host:port. Its connections are pipes, so they work in synctest bubbles. A
// name exists if a server or a record has that name.
type Network struct {
	CA *CA

	mu      sync.Mutex
	servers map[string]listener
	silent  map[string]bool
	mute    map[string]bool
	open    map[string][]*pipe // the clients' ends of connections that are not frozen; the keys are host:port
	ends    []*pipe            // the clients' ends of all connections
	closed  bool
	dials   []string
	dns     dns
}

// NewNetwork returns an empty network. The caller must call Close.
func NewNetwork() *Network {
	return &Network{
		CA:      NewCA(),
		servers: make(map[string]listener),
		silent:  make(map[string]bool),
		mute:    make(map[string]bool),
		open:    make(map[string][]*pipe),
	}
}

// Serve starts handler at addr, a host:port, with TLS. The server's certificate
// is for names, or for the host of addr if there are no names. If there is
// already a server at addr, Serve replaces it.
func (n *Network) Serve(addr string, handler http.Handler, names ...string) {
	host, _, err := net.SplitHostPort(addr)
	must(err)
	if len(names) == 0 {
		names = []string{host}
	}
	n.ServeTLS(addr, handler, n.CA.Certificate(names...))
}

// ServeTLS is like Serve, but the server uses the certificate cert.
func (n *Network) ServeTLS(addr string, handler http.Handler, cert tls.Certificate) {
	n.Remove(addr)
	l := listener{
		addr: addr,
		server: &http.Server{
			Handler:   handler,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
			ErrorLog:  log.New(io.Discard, "", 0),
		},
		conns: make(chan net.Conn),
		done:  make(chan struct{}),
		once:  new(sync.Once),
	}
	n.mu.Lock()
	n.servers[addr] = l
	n.mu.Unlock()
	go l.server.ServeTLS(l, "", "")
}

// Remove ends the server at addr. After that, addr refuses connections.
func (n *Network) Remove(addr string) {
	n.mu.Lock()
	l, ok := n.servers[addr]
	delete(n.servers, addr)
	n.mu.Unlock()
	if ok {
		l.server.Close()
	}
}

// Silence makes addr ignore every attempt to connect, so that the client gets
// no answer.
func (n *Network) Silence(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent[addr] = true
}

// Mute makes addr accept connections, but never send any data on them.
func (n *Network) Mute(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mute[addr] = true
}

// Freeze makes all open connections to addr lose all data from now on, as if a
// router had forgotten these connections. New connections work.
func (n *Network) Freeze(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.open[addr] {
		p.frozen.Store(true)
	}
	delete(n.open, addr)
}

// Close ends every server and every connection, even a connection that a client
// keeps open or is just opening. So no goroutine of a connection remains in a
// synctest bubble.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	ends := n.ends
	addrs := make([]string, 0, len(n.servers))
	for addr := range n.servers {
		addrs = append(addrs, addr)
	}
	n.mu.Unlock()
	for _, addr := range addrs {
		n.Remove(addr)
	}
	for _, p := range ends {
		p.Close()
	}
}

// Dials returns every host:port dialled so far.
func (n *Network) Dials() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.dials...)
}

// Dial connects to the server at addr. addr is an address in the network n.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, addr)
	l, ok := n.servers[addr]
	silent, mute := n.silent[addr], n.mute[addr]
	n.mu.Unlock()
	switch {
	case silent:
		<-ctx.Done()
		return nil, ctx.Err()
	case mute:
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		p := newPipe(ours, addr)
		n.keep(p)
		return p, nil
	case !ok:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(addr), Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	p, peer := newPipe(ours, addr), newPipe(theirs, "client")
	select {
	case l.conns <- peer:
	case <-l.done:
		p.Close()
		peer.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(addr), Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		p.Close()
		peer.Close()
		return nil, ctx.Err()
	}
	n.keep(p)
	return p, nil
}

// keep remembers a client's end of a connection, for Freeze and Close.
func (n *Network) keep(p *pipe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		p.Close()
		return
	}
	n.open[p.addr] = append(n.open[p.addr], p)
	n.ends = append(n.ends, p)
}

// Resolver returns a resolver that takes its answers from the SRV records of n.
func (n *Network) Resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go n.dns.serve(theirs)
			return ours, nil
		},
	}
}

// listener is one server of the network.
type listener struct {
	addr   string
	server *http.Server
	conns  chan net.Conn
	done   chan struct{}
	once   *sync.Once
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l listener) Addr() net.Addr { return address(l.addr) }

// address is a host:port that implements [net.Addr].
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
