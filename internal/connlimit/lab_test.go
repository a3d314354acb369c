package connlimit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// door is a listener to which a test can connect without a network.
type door struct {
	conns    chan net.Conn
	failures chan error
	closed   chan struct{}
}

func newDoor() *door {
	return &door{make(chan net.Conn), make(chan error, 100), make(chan struct{})}
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case err := <-d.failures:
		return nil, err
	default:
	}
	select {
	case c := <-d.conns:
		return c, nil
	case err := <-d.failures:
		return nil, err
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error   { close(d.closed); return nil }
func (d *door) Addr() net.Addr { return client("127.0.0.1") }

// client returns the address of a client at ip.
func client(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 5} }

// visitor is the server's end of a connection. The field from is the client's
// address.
type visitor struct {
	net.Conn
	from net.Addr
}

func (v visitor) RemoteAddr() net.Addr { return v.from }

// lab is an HTTP server for one test. Its connections come from a Listener.
type lab struct {
	t      *testing.T
	door   *door
	server *http.Server
	log    bytes.Buffer
	ended  chan error
}

// start starts a server with the handler hello. limit is the number of places. Each
// client address is one network, but addresses in 10.0.0.0/8 belong to no network,
// because they stand for proxies.
func start(t *testing.T, limit int, change func(*Options, *http.Server)) *lab {
	l := &lab{t: t, door: newDoor(), ended: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(&l.log, nil))
	o := Options{Limit: limit, ArrivalTime: 16 * time.Second, Network: ownNetwork, Log: log}
	l.server = &http.Server{Handler: http.HandlerFunc(hello), IdleTimeout: time.Hour, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}
	if change != nil {
		change(&o, l.server)
	}
	bounded := New(l.door, o)
	go func() { l.ended <- bounded.Serve(l.server) }()
	return l
}

func ownNetwork(peer net.Addr) (netip.Prefix, bool) {
	addr := netip.MustParseAddrPort(peer.String()).Addr()
	return netip.PrefixFrom(addr, addr.BitLen()), !netip.MustParsePrefix("10.0.0.0/8").Contains(addr)
}

func hello(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, "hello "+r.Header.Get("X-Name"))
}

func (l *lab) end() {
	l.t.Helper()
	if err := l.server.Close(); err != nil {
		l.t.Error(err)
	}
	if err := <-l.ended; !errors.Is(err, http.ErrServerClosed) {
		l.t.Errorf("Serve ended with %v, want http.ErrServerClosed", err)
	}
}

// connect makes a connection to the listener l.door, as a client with the given
// address, and waits until the server accepts it.
func (l *lab) connect(ip string) *peer {
	ours, theirs := net.Pipe()
	l.door.conns <- visitor{theirs, client(ip)}
	p := &peer{Conn: ours, news: make(chan struct{}, 1)}
	go p.listen()
	return p
}

// peer is a client's end of a connection. It immediately reads whatever the server
// sends.
type peer struct {
	net.Conn
	news chan struct{}

	mu     sync.Mutex
	heard  []byte
	closed bool
}

func (p *peer) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := p.Read(buf)
		p.mu.Lock()
		p.heard = append(p.heard, buf[:n]...)
		p.closed = err != nil
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// say sends text in the background, because the pipe has no buffer.
func (p *peer) say(text string) { go func() { _, _ = io.WriteString(p, text) }() }

// ask sends a request and returns the status and the body of the answer. The status
// is 0 if the connection ended before a complete answer.
func (p *peer) ask(text string) (status int, body string) {
	p.say(text)
	for {
		status, body, done := p.answer()
		if done {
			return status, body
		}
		<-p.news
	}
}

// answer returns the next answer. done is false if the answer has not arrived
// completely.
func (p *peer) answer() (status int, body string, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := bytes.NewReader(p.heard)
	resp, err := http.ReadResponse(bufio.NewReaderSize(heard, 16), nil)
	if err != nil {
		return 0, "", p.closed
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", p.closed
	}
	p.heard = nil // a test never has two answers waiting
	return resp.StatusCode, string(text), true
}

// isClosed reports whether the server has closed the connection.
func (p *peer) isClosed() bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func inBubble(t *testing.T, limit int, change func(*Options, *http.Server), f func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := start(t, limit, change)
		f(t, l)
		l.end()
	})
}
