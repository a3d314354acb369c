package sfu

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"path"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// maxAnswer returns how many bytes of an answer the client reads at most. The
// values are larger than LiveKit's usual answers:
//
//   - A room has at most 64 KB of metadata by LiveKit's limits.
//   - A participant has at most 64 KB of metadata, 64 KB of attributes, and
//     tracks. In a list, a participant usually takes 1 or 2 KB.
//   - In the list of all rooms, a room of this service takes about 200 bytes.
func maxAnswer(req *http.Request) int {
	switch path.Base(req.URL.Path) {
	case "GetParticipant":
		return 1 << 20
	case "ListParticipants", "ListRooms":
		return 16 << 20
	}
	return 128 << 10
}

// waits reports whether the client waits for the answer, and does not repeat the
// call on another connection after answerTime. This is so for UpdateSubscriptions,
// whose answer may take longer than answerTime, and for calls that must be made
// only once (onlyOnce).
func waits(req *http.Request) bool {
	op := path.Base(req.URL.Path)
	return op == "UpdateSubscriptions" || onlyOnce(op)
}

// onlyOnce reports whether the client must not repeat a call. This is so only for
// a removal. If the answer to a removal is lost, the participant may have returned
// under the same identity, and a second removal would end the new session.
func onlyOnce(op string) bool { return op == "RemoveParticipant" }

// answerTime is how long a reused connection may stay silent before the client
// repeats the call on a new one. If the call has a short deadline, the larger part
// of the call's time is for the second try.
//
// TCP would take minutes to notice that the peer has vanished, for example because
// its container was replaced. LiveKit itself stays silent for 3.0 s if one of its
// nodes does not answer. If the call has no short deadline, answerTime is longer
// than these 3.0 s.
func answerTime(ctx context.Context) time.Duration {
	const longest = callTimeout / 3
	deadline, ok := ctx.Deadline()
	if !ok {
		return longest
	}
	return min(longest, time.Until(deadline)/3)
}

// connectTime bounds how long a TCP connection may take to open. A TLS handshake
// comes after that, and may take as long again.
const connectTime = 5 * time.Second

// NewHTTPClient returns an HTTP client for the API of one SFU.
//
// It trusts the certificates that roots returns, and calls roots for every
// connection. If roots is nil, it trusts the system's certificates. It keeps
// connections for reuse. It speaks only HTTP/1.1, so that a broken connection fails
// only one call. It uses no proxy, because a container's proxy to the internet does
// not lead to an SFU beside the container.
//
// If this process can open no file for a connection, the client calls the function
// spare, which closes another file. spare returns false if it could close none.
// spare may be nil.
func NewHTTPClient(roots func() *x509.CertPool, spare func() bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            newDial(spare),
		TLSHandshakeTimeout:    connectTime,
		Protocols:              &protocols,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        128,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
	}
	if roots != nil {
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, t.DialContext, address, &tls.Config{RootCAs: roots()})
		}
	}
	return &http.Client{Transport: t}
}

// newDial returns a dial function. If this process can open no more files, the dial
// function calls spare, which may close a file. If spare returns true, the dial function
// tries to connect again. For an error of the dial function, [outbound.IsNoFile] tells
// whether no file could be opened.
func newDial(spare func() bool) dialFunc {
	var names outbound.Names
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		for {
			err = names.Ask(net.DefaultResolver, address, func(resolver *net.Resolver) error {
				dialer := net.Dialer{Timeout: connectTime, Resolver: resolver}
				conn, err = dialer.DialContext(ctx, network, address)
				return err
			})
			if outbound.IsNoFile(err) && spare != nil && spare() {
				continue
			}
			return conn, err
		}
	}
}

// dialTLS connects to address with dial. Then it makes a TLS handshake with
// config.
func dialTLS(ctx context.Context, dial dialFunc, address string, config *tls.Config) (net.Conn, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	config.ServerName, _, _ = net.SplitHostPort(address)
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// guarded returns a copy of client that reads at most maxAnswer bytes of an
// answer. If a reused connection is dead, the copy soon sends the request again over
// a new one. The copy need not forbid redirects: the generated client follows none,
// so no other server gets the API token.
func guarded(client *http.Client) *http.Client {
	c := *client
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	c.Transport = guard{c.Transport}
	return &c
}

// guard is a RoundTripper that reads the whole response before it returns. If a
// reused connection does not answer, guard sends the request a second time, for
// which the request must have GetBody.
type guard struct{ next http.RoundTripper }

var errSilent = errors.New("the pooled connection is dead")

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if waits(req) {
		return g.read(req)
	}
	resp, err := g.readInTime(req)
	if !errors.Is(err, errSilent) || req.GetBody == nil {
		return resp, err
	}
	// The other idle connections are probably dead as well, so close them.
	if next, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
	again := req.WithContext(req.Context())
	if again.Body, err = req.GetBody(); err != nil {
		return nil, err
	}
	return g.read(again)
}

// readInTime sends req and reads the whole answer. If a reused connection does not
// answer within answerTime, readInTime returns errSilent.
func (g guard) readInTime(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	timer := time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	timer.Stop()
	defer timer.Stop()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(conn httptrace.GotConnInfo) {
		timer.Stop()
		if conn.Reused {
			timer.Reset(answerTime(ctx))
		}
	}})
	resp, err := g.read(req.WithContext(ctx))
	if err != nil && context.Cause(ctx) == errSilent {
		return nil, errSilent
	}
	return resp, err
}

// read sends req and reads the answer. If the status is 200, but the answer is
// too long or is no protobuf message, read returns an error. From an answer
// with another status, read keeps only the beginning.
func (g guard) read(req *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	limit := maxAnswer(req)
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if err := checkAnswer(resp, body, limit); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body[:min(len(body), limit)]))
	return resp, nil
}

func checkAnswer(resp *http.Response, body []byte, limit int) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil
	case kind != "application/protobuf":
		return &notTwirpError{fmt.Sprintf("an answer with the status 200 and the content type %q", kind)}
	case len(body) > limit:
		return &notTwirpError{fmt.Sprintf("an answer of more than %d bytes", limit)}
	}
	return nil
}

// notTwirpError says that an answer cannot be from LiveKit.
type notTwirpError struct{ got string }

func (e *notTwirpError) Error() string { return "got " + e.got }
