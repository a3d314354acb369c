package matrixtest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc/test/bufconn"
)

// Network is an internet in memory: servers at any host:port, names, and SRV
// records. Its connections are pipes, so it works in synctest bubbles. Names
// exist by being served or by having a record.
type Network struct {
	CA *CA

	mu      sync.Mutex
	servers map[string]listener
	silent  map[string]bool
	open    map[string][]*pipe // the clients' ends
	dials   []string
	dns     dns
}

// NewNetwork returns an empty network. Close ends its servers.
func NewNetwork() *Network {
	return &Network{
		CA:      NewCA(),
		servers: make(map[string]listener),
		silent:  make(map[string]bool),
		open:    make(map[string][]*pipe),
	}
}

// Serve has handler answer at host:port, over TLS with a certificate for names
// (none: for the host of addr). It replaces what was there.
func (n *Network) Serve(addr string, handler http.Handler, names ...string) {
	host, _, err := net.SplitHostPort(addr)
	must(err)
	if len(names) == 0 {
		names = []string{host}
	}
	n.ServeTLS(addr, handler, n.CA.Certificate(names...))
}

// ServeTLS is Serve with a given certificate.
func (n *Network) ServeTLS(addr string, handler http.Handler, cert tls.Certificate) {
	n.Remove(addr)
	l := listener{bufconn.Listen(pipeBuffer), &http.Server{
		Handler:   handler,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		ErrorLog:  log.New(io.Discard, "", 0),
	}}
	n.mu.Lock()
	n.servers[addr] = l
	n.mu.Unlock()
	go l.server.ServeTLS(l, "", "")
}

// Remove ends the server at addr: connections to it are refused.
func (n *Network) Remove(addr string) {
	n.mu.Lock()
	l, ok := n.servers[addr]
	delete(n.servers, addr)
	n.mu.Unlock()
	if ok {
		l.server.Close()
	}
}

// Silence has addr swallow connection attempts without an answer.
func (n *Network) Silence(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent[addr] = true
}

// Freeze has all open connections to addr swallow what is sent on them from
// now on, as a router does that has forgotten them; new ones work.
func (n *Network) Freeze(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.open[addr] {
		p.frozen.Store(true)
	}
	delete(n.open, addr)
}

// Close ends every server.
func (n *Network) Close() {
	n.mu.Lock()
	addrs := make([]string, 0, len(n.servers))
	for addr := range n.servers {
		addrs = append(addrs, addr)
	}
	n.mu.Unlock()
	for _, addr := range addrs {
		n.Remove(addr)
	}
}

// Dials returns every host:port dialled so far.
func (n *Network) Dials() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.dials...)
}

// Dial connects to a server of the network.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, addr)
	l, ok := n.servers[addr]
	silent := n.silent[addr]
	n.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(addr), Err: syscall.ECONNREFUSED}
	}
	c, err := l.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	p := &pipe{Conn: c, addr: addr}
	n.mu.Lock()
	n.open[addr] = append(n.open[addr], p)
	n.mu.Unlock()
	return p, nil
}

// pipeBuffer is how much a connection holds that is not read yet.
const pipeBuffer = 64 << 10

// listener is one server of the network.
type listener struct {
	*bufconn.Listener
	server *http.Server
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pipe{Conn: c, addr: "client"}, nil
}

// Resolver answers from the network's SRV records.
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

// address is a host:port as a [net.Addr].
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// pipe is a connection in memory that knows the address it stands for.
type pipe struct {
	net.Conn
	addr   string
	frozen atomic.Bool
}

func (p *pipe) RemoteAddr() net.Addr { return address(p.addr) }

func (p *pipe) Write(b []byte) (int, error) {
	if p.frozen.Load() {
		return len(b), nil
	}
	return p.Conn.Write(b)
}

// Read reports a deadline as a real connection does: as a temporary error,
// which crypto/tls and net/http recover from.
func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}
