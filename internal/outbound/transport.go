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

// UserAgent is the value of the User-Agent header of all requests.
const UserAgent = "matrixrtc-auth"

// Route says how to reach a host, independently of the URL of a request.
type Route struct {
	Scheme  string // the scheme, "https" or "http"
	Addr    string // the host:port to connect to
	TLSName string // the DNS name or IP address that the server's certificate must have
}

// Transport sends requests over pooled connections. It always connects
// directly, so HTTP_PROXY, HTTPS_PROXY and NO_PROXY have no effect. Two
// transports with the same Pool share its bounds, but not its connections. The
// zero value is ready. The fields must not change after the first use.
type Transport struct {
	// Dial opens a connection. nil means a [Dialer] that permits all addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is the configuration of every handshake. The transport itself sets
	// ServerName and NextProtos, and also VerifyConnection if
	// [Pool.MaxHandshake] is set.
	TLS *tls.Config
	// Roots, if set, returns the certificates to trust. The transport calls Roots for
	// every handshake, and ignores TLS.RootCAs. A nil result means the system's
	// certificates. After the certificates have changed, call
	// [Transport.CloseIdleConnections]. This closes connections to servers that are
	// trusted no longer.
	Roots func() *x509.CertPool
	// HandshakeTimeout bounds the TLS handshake. Zero means 4 s.
	HandshakeTimeout time.Duration
	// MaxResponseBytes bounds the bytes of one response on the connection,
	// including status line, headers and framing. Zero means 80 KiB.
	MaxResponseBytes int64
	// Pool holds the connections. If Pool is nil, the transport makes its own.
	Pool *Pool
	// AnswerTime is how long a repeatable request waits for an answer on a
	// reused connection. After that time the transport sends the request on a
	// new connection. Zero means 1 s. If the last answer on the connection took
	// more than half of this time, the next request waits twice as long as that
	// answer took.
	AnswerTime time.Duration

	own    Pool
	dialer Dialer // the Dialer that the transport uses if Dial is nil
}

const (
	defaultHandshakeTimeout = 4 * time.Second
	defaultMaxResponseBytes = 80 << 10
	defaultAnswerTime       = time.Second
)

// RoundTrip implements [http.RoundTripper]. It connects to the host in the
// request's URL.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, _, err := t.do(req, RouteTo(req.URL))
	return resp, err
}

// do sends req along route, whatever host the URL of req has. It returns the
// response and the address that it reached. With an error, it also returns the
// address if it knows one. The context of req applies until the caller closes the
// response's body. If do has sent nothing, the error is a *[DialError]. [Cause]
// returns the cause of any error.
func (t *Transport) do(req *http.Request, route Route) (resp *http.Response, addr string, err error) {
	defer func() {
		if err != nil && req.Body != nil {
			req.Body.Close()
		}
	}()
	sent := false
	addr, err = t.use(req.Context(), route, isRepeatable(req), func(c *conn, answerTime time.Duration) error {
		if sent && req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return err
			}
		}
		sent = true
		resp, err = c.roundTrip(req, answerTime)
		return err
	})
	return resp, addr, err
}

type answerTimeKey struct{}

// WithAnswerTime returns a context for slow requests. On a reused connection,
// such a request waits at least d for its answer before the transport sends it
// again. Use the context for requests that may take long, and that the server
// continues even after the connection is closed.
func WithAnswerTime(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, answerTimeKey{}, d)
}

// isRepeatable reports whether the transport may send req twice. Without a body,
// the method must be GET or HEAD. With a body, req must have the header
// Idempotency-Key and GetBody. As in net/http, a header without a value is enough,
// although it is not sent.
func isRepeatable(req *http.Request) bool {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Method == http.MethodGet || req.Method == http.MethodHead
	}
	_, declared := req.Header["Idempotency-Key"]
	return declared && req.GetBody != nil
}

// Get makes a GET request to host along route. target is a path and query in
// escaped form. The caller must have escaped every part of target that a stranger
// can choose. Get returns the answer and the address that it reached. If the body
// has more than maxBody bytes, the error is [ErrTooLarge]. Get is faster than
// RoundTrip, and is for the most frequent request.
func (t *Transport) Get(ctx context.Context, route Route, host, target string, maxBody int) (answer Answer, addr string, err error) {
	return t.get(ctx, route, getRequest{host: host, target: target, maxBody: maxBody})
}

// GetAs is like Get, but sends an access token in the header Authorization.
func (t *Transport) GetAs(ctx context.Context, route Route, host, target, token string, maxBody int) (Answer, error) {
	if strings.ContainsAny(token, "\r\n\x00") {
		return Answer{}, errors.New("the access token holds a line break or a NUL character")
	}
	answer, _, err := t.get(ctx, route, getRequest{host, target, "\r\nAuthorization: Bearer " + token, maxBody})
	return answer, err
}

func (t *Transport) get(ctx context.Context, route Route, r getRequest) (answer Answer, addr string, err error) {
	addr, err = t.use(ctx, route, true, func(c *conn, answerTime time.Duration) error {
		answer, err = c.get(ctx, r, answerTime)
		return err
	})
	return answer, addr, err
}

// RouteTo returns the route that connects to the host in the URL u.
func RouteTo(u *url.URL) Route {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	name := u.Hostname()
	return Route{u.Scheme, net.JoinHostPort(name, port), name}
}

// use calls the function exchange with a connection to route, and returns the
// address of the peer. It tries an idle connection first. If a repeatable request
// fails on the idle connection or gets no answer in time, use tries a new
// connection.
func (t *Transport) use(ctx context.Context, route Route, repeatable bool, exchange func(c *conn, answerTime time.Duration) error) (addr string, err error) {
	if c := t.pool().take(t, route, AskerOf(ctx)); c != nil {
		var answerTime time.Duration
		if repeatable {
			asked, _ := ctx.Value(answerTimeKey{}).(time.Duration)
			answerTime = max(orDefault(t.AnswerTime, defaultAnswerTime), 2*c.took, asked)
		}
		err := exchange(c, answerTime)
		if err == nil || !repeatable || ctx.Err() != nil {
			return c.addr, err
		}
		// This idle connection failed. Other idle connections to this route are
		// probably dead as well, so close them.
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

// open connects to addr. If the host is at the bound [Pool.PerHost], open
// waits. If no file can be opened, open closes idle connections.
func (t *Transport) open(ctx context.Context, addr string) (*socket, error) {
	dial := t.Dial
	if dial == nil {
		dial = t.dialer.DialContext
	}
	v := &visit{transport: t, pool: t.pool(), held: make(map[netip.Prefix]func())}
	defer func() { _ = v.end(netip.Prefix{}) }() // v.end gives back the rights to connect that v still holds
	for {
		raw, err := dial(context.WithValue(ctx, visitKey{}, v), "tcp", addr)
		if err == nil {
			host := remoteHost(raw)
			if err = v.enter(host); err == nil {
				return &socket{Conn: raw, pool: v.pool, host: host, release: v.end(host), waited: v.waited}, nil
			}
			raw.Close() // a dial function that is not from a [Dialer] does not check the bound PerHost, so the check is here
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

// CloseIdleConnections closes every connection that no request is using.
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
