package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
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
// nothing. The zero value works; fields must not change after the first use.
type Transport struct {
	// Dial opens a connection; nil means a [Dialer] that permits all.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is the base of every handshake (roots, session cache). Its ServerName
	// and NextProtos are set here.
	TLS *tls.Config
	// HandshakeTimeout bounds the TLS handshake, zero means 4 s.
	HandshakeTimeout time.Duration
	// MaxResponseBytes bounds one response as it comes over the connection,
	// status line, headers and framing included; zero means 80 KiB.
	MaxResponseBytes int64
	// MaxIdle bounds the connections kept without a request, zero means 512.
	// One more takes the place of the one that was idle longest.
	MaxIdle int
	// IdleTimeout is how long such a connection is kept, zero means 50 s:
	// less than what servers and proxies commonly grant (60 and 75 s).
	IdleTimeout time.Duration
	// Patience is how long a connection that was used before may leave a
	// repeatable request without an answer until a fresh one is tried; zero
	// means 1 s. A host that is known to answer slower gets more.
	Patience time.Duration

	mu    sync.Mutex
	idle  map[Route][]*conn // the one used last at the end
	idles int               // how many in all
	sweep *time.Timer       // nil while nothing is idle
}

const (
	defaultHandshakeTimeout = 4 * time.Second
	defaultMaxResponseBytes = 80 << 10
	defaultMaxIdle          = 512
	defaultIdleTimeout      = 50 * time.Second
	defaultPatience         = time.Second
)

// RoundTrip implements [http.RoundTripper] for URLs whose host is also the
// one to connect to.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	port := req.URL.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[req.URL.Scheme]
	}
	name := req.URL.Hostname()
	resp, _, err := t.Do(req, Route{req.URL.Scheme, net.JoinHostPort(name, port), name})
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
	addr, err = t.use(ctx, route, true, func(c *conn, patience time.Duration) error {
		answer, err = c.get(ctx, getRequest{host, target, maxBody}, patience)
		return err
	})
	return answer, addr, err
}

// use has exchange use a connection to route: an idle one if there is any,
// which is given patience when the request may be repeated, and a fresh one
// when that failed. It returns the address that was reached.
func (t *Transport) use(ctx context.Context, route Route, repeatable bool, exchange func(c *conn, patience time.Duration) error) (addr string, err error) {
	if c := t.takeIdle(route); c != nil {
		var patience time.Duration
		if repeatable {
			patience = max(orDefault(t.Patience, defaultPatience), 2*c.took)
		}
		err := exchange(c, patience)
		if err == nil || !repeatable || ctx.Err() != nil {
			return c.addr, err
		}
		// Whatever broke this connection broke its idle siblings.
		t.dropIdle(route)
	}
	c, addr, err := t.connect(ctx, route)
	if err != nil {
		return addr, err
	}
	return c.addr, exchange(c, 0)
}

func (t *Transport) connect(ctx context.Context, route Route) (*conn, string, error) {
	dial := t.Dial
	if dial == nil {
		dial = new(Dialer).DialContext
	}
	raw, err := dial(ctx, "tcp", route.Addr)
	if crowded, ok := errors.AsType[*CrowdedError](err); ok && t.dropOldest(crowded.host) {
		raw, err = dial(ctx, "tcp", route.Addr)
	}
	if err != nil {
		return nil, triedAddress(err), &DialError{Addr: route.Addr, Err: err}
	}
	addr := raw.RemoteAddr().String()
	if route.Scheme == "http" {
		return newConn(t, route, raw, addr), addr, nil
	}
	secured := tls.Client(raw, t.tlsConfig(route.TLSName))
	ctx, cancel := context.WithTimeout(ctx, orDefault(t.HandshakeTimeout, defaultHandshakeTimeout))
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, addr, &DialError{Addr: route.Addr, TLS: true, Err: err}
	}
	return newConn(t, route, secured, addr), addr, nil
}

func (t *Transport) tlsConfig(name string) *tls.Config {
	config := &tls.Config{}
	if t.TLS != nil {
		config = t.TLS.Clone()
	}
	config.ServerName = strings.Trim(name, "[]")
	config.NextProtos = []string{"http/1.1"}
	return config
}

func orDefault[T int | int64 | time.Duration](v, byDefault T) T {
	if v == 0 {
		return byDefault
	}
	return v
}
