package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// UserAgent is how the service calls itself.
const UserAgent = "matrixrtc-auth"

// Route says how to reach a host, apart from what is asked there.
type Route struct {
	Scheme  string // "https" or "http"
	Addr    string // host:port to connect to
	TLSName string // the name that the certificate must hold: a DNS name or an IP
}

// Transport sends requests over pooled connections. Two transports share
// nothing but what bounds them, if they have one Pool. The zero value works;
// fields must not change after the first use.
type Transport struct {
	// Dial opens a connection; nil means a [Dialer] that permits all.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is the base of every handshake (roots, session cache). Its ServerName
	// and NextProtos are set here, and its VerifyConnection where
	// [Pool.MaxHandshake] is.
	TLS *tls.Config
	// Roots, if set, returns the certificates to trust instead of TLS.RootCAs
	// (nil: the system's). It is asked for every handshake. When they change,
	// [Transport.CloseIdleConnections] ends what the former ones let in.
	Roots func() *x509.CertPool
	// HandshakeTimeout bounds the TLS handshake, zero means 4 s.
	HandshakeTimeout time.Duration
	// MaxResponseBytes bounds one response as it comes over the connection,
	// status line, headers and framing included; zero means 80 KiB.
	MaxResponseBytes int64
	// Pool holds the connections; nil means one of its own.
	Pool *Pool
	// Patience is how long a connection that was used before may leave a
	// repeatable request without an answer until a fresh one is tried; zero
	// means 1 s. A host that is known to answer slower gets more.
	Patience time.Duration

	own    Pool
	dialer Dialer // in place of Dial
}

const (
	defaultHandshakeTimeout = 4 * time.Second
	defaultMaxResponseBytes = 80 << 10
	defaultPatience         = time.Second
)

// RoundTrip implements [http.RoundTripper] for URLs whose host is also the
// one to connect to.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, _, err := t.Do(req, RouteTo(req.URL))
	return resp, err
}

// Do sends req along route, whatever its URL's host, and returns the response
// and the address reached (also with an error, as far as it is known). The
// request's context bounds everything until the body is closed. Errors before
// anything was sent are *[DialError]; [Cause] sorts them all.
func (t *Transport) Do(req *http.Request, route Route) (resp *http.Response, addr string, err error) {
	defer func() {
		if err != nil && req.Body != nil {
			req.Body.Close()
		}
	}()
	sent := false
	addr, err = t.use(req.Context(), route, isRepeatable(req), func(c *conn, patience time.Duration) error {
		if sent && req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return err
			}
		}
		sent = true
		resp, err = c.roundTrip(req, patience)
		return err
	})
	return resp, addr, err
}

type patienceKey struct{}

// WithPatience has requests on connections that were used before wait so long
// for an answer, where the transport would send them once more sooner: for those
// that may take long, and would go on for others meanwhile.
func WithPatience(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, d)
}

// isRepeatable reports whether req may be sent twice: by its method, or
// because an Idempotency-Key header says so, which is not sent when it is
// empty (as in net/http).
func isRepeatable(req *http.Request) bool {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Method == http.MethodGet || req.Method == http.MethodHead
	}
	_, declared := req.Header["Idempotency-Key"]
	return declared && req.GetBody != nil
}

// Get asks for target (path and query, escaped) of host along route, and
// returns the answer, whose body is at most maxBody bytes long or
// [ErrTooLarge], and the address reached. It is Do for the one request that is made all the time. No
// part may hold what a stranger could write unescaped.
func (t *Transport) Get(ctx context.Context, route Route, host, target string, maxBody int) (answer Answer, addr string, err error) {
	return t.get(ctx, route, getRequest{host: host, target: target, maxBody: maxBody})
}

// GetAs is Get with an access token, which must be one that a header can hold.
func (t *Transport) GetAs(ctx context.Context, route Route, host, target, token string, maxBody int) (Answer, error) {
	if strings.ContainsAny(token, "\r\n\x00") {
		return Answer{}, errors.New("the access token holds a line break")
	}
	answer, _, err := t.get(ctx, route, getRequest{host, target, "\r\nAuthorization: Bearer " + token, maxBody})
	return answer, err
}

func (t *Transport) get(ctx context.Context, route Route, r getRequest) (answer Answer, addr string, err error) {
	addr, err = t.use(ctx, route, true, func(c *conn, patience time.Duration) error {
		answer, err = c.get(ctx, r, patience)
		return err
	})
	return answer, addr, err
}

// RouteTo is the route to a URL whose host is also the one to connect to.
func RouteTo(u *url.URL) Route {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	name := u.Hostname()
	return Route{u.Scheme, net.JoinHostPort(name, port), name}
}

// use has exchange use a connection to route: an idle one if there is any,
// which is given patience when the request may be repeated, and a fresh one
// when that failed. It returns the address that was reached.
func (t *Transport) use(ctx context.Context, route Route, repeatable bool, exchange func(c *conn, patience time.Duration) error) (addr string, err error) {
	if c := t.pool().take(t, route, AskerOf(ctx)); c != nil {
		var patience time.Duration
		if repeatable {
			asked, _ := ctx.Value(patienceKey{}).(time.Duration)
			patience = max(orDefault(t.Patience, defaultPatience), 2*c.took, asked)
		}
		err := exchange(c, patience)
		if err == nil || !repeatable || ctx.Err() != nil {
			return c.addr, err
		}
		// Whatever broke this connection broke its idle siblings.
		t.pool().drop(t, route)
	}
	c, addr, err := t.connect(ctx, route)
	if err != nil {
		return addr, err
	}
	return c.addr, c.socket.waited.excuse(exchange(c, 0))
}

func (t *Transport) connect(ctx context.Context, route Route) (c *conn, addr string, err error) {
	s, err := t.open(ctx, route.Addr)
	if err != nil {
		return nil, triedAddress(err), &DialError{Addr: route.Addr, Err: err}
	}
	addr = s.RemoteAddr().String()
	if route.Scheme == "http" {
		return newConn(t, route, s, s), addr, nil
	}
	secured, err := t.secure(ctx, s, route.TLSName)
	if err != nil {
		return nil, addr, &DialError{Addr: route.Addr, TLS: true, Err: err}
	}
	return newConn(t, route, secured, s), addr, nil
}

// open dials addr. Where a host has no place for one more connection, it waits;
// where there is no file for one, idle connections are closed.
func (t *Transport) open(ctx context.Context, addr string) (*socket, error) {
	dial := t.Dial
	if dial == nil {
		dial = t.dialer.DialContext
	}
	v := &visit{transport: t, pool: t.pool(), held: make(map[netip.Prefix]func())}
	defer func() { _ = v.end(netip.Prefix{}) }() // what is still held
	for {
		raw, err := dial(context.WithValue(ctx, visitKey{}, v), "tcp", addr)
		if err == nil {
			host := remoteHost(raw)
			if err = v.enter(host); err == nil {
				return &socket{Conn: raw, pool: v.pool, host: host, release: v.end(host), waited: v.waited}, nil
			}
			raw.Close() // Dial is none of [Dialer], which asks before
		}
		if IsNoFile(err) && v.pool.CloseForFile() {
			continue
		}
		if !v.isCrowded() {
			return nil, v.waited.excuse(err)
		}
		if err := v.wait(ctx); err != nil {
			return nil, err
		}
	}
}

func (t *Transport) pool() *Pool {
	p := t.Pool
	if p == nil {
		p = &t.own
	}
	p.init()
	return p
}

// CloseIdleConnections closes every connection that carries no request.
func (t *Transport) CloseIdleConnections() { t.pool().dropAll(t) }

func (t *Transport) tlsConfig(name string) *tls.Config {
	config := &tls.Config{}
	if t.TLS != nil {
		config = t.TLS.Clone()
	}
	config.ServerName = strings.Trim(name, "[]")
	config.NextProtos = []string{"http/1.1"}
	if t.Roots != nil {
		config.RootCAs = t.Roots()
	}
	if t.pool().MaxHandshake > 0 {
		config.VerifyConnection = checkChain
	}
	return config
}

func orDefault[T int | int64 | time.Duration](v, byDefault T) T {
	if v == 0 {
		return byDefault
	}
	return v
}
