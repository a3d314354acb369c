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

// maxAnswer bounds what is read of an answer, in bytes. A room has no more than
// 64 KB of metadata. A participant has as much, the same of attributes, and its
// tracks; in a list, where few come near that, it has 1 or 2 KB. A room of ours
// has about 200 bytes in the list of all.
func maxAnswer(req *http.Request) int {
	switch path.Base(req.URL.Path) {
	case "GetParticipant":
		return 1 << 20
	case "ListParticipants", "ListRooms":
		return 16 << 20
	}
	return 128 << 10
}

// waits reports whether the answer to req may take longer than patience, also in
// a short time, or must not be done twice: it is not repeated on another
// connection.
func waits(req *http.Request) bool {
	op := path.Base(req.URL.Path)
	return op == "UpdateSubscriptions" || onlyOnce(op)
}

// onlyOnce reports whether a call must not be made twice. Where the answer to a
// removal got lost, its participant may be back under the same identity.
func onlyOnce(op string) bool { return op == "RemoveParticipant" }

// patience is how long a reused connection may stay silent before the call is
// repeated on a fresh one, for which it leaves the most of a short deadline. A
// peer that vanished without a word (its container was replaced) is not noticed
// by TCP for minutes. LiveKit itself is silent for 3.0 s when another node of it
// does not answer; given all of a call's time, that is no dead connection.
func patience(ctx context.Context) time.Duration {
	const longest = callTimeout / 3
	deadline, ok := ctx.Deadline()
	if !ok {
		return longest
	}
	return min(longest, time.Until(deadline)/3)
}

// connectTime bounds the way to a connection, and then the TLS handshake.
const connectTime = 5 * time.Second

// NewHTTPClient returns an HTTP client for the API of one SFU that trusts what
// roots returns, which is asked for every connection (nil: the system's
// certificates). It keeps connections for reuse, in HTTP/1.1 only, so that a
// connection that dies takes one call with it and not all. No proxy stands
// between: one that containers are given for the internet does not lead to an
// SFU beside them. Where no file is left for a connection, spare (nil: nothing)
// is asked to close something, and reports whether it did.
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

// newDial returns a way to connect that has spare make room for a file, and whose
// errors say when none was left.
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

// dialTLS connects to address by dial, and secures that as config says.
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

// guarded returns a copy of client that reads at most maxAnswer of an answer
// and does not wait for a dead connection. The generated client adds that no
// redirect is followed, so the API token goes nowhere else.
func guarded(client *http.Client) *http.Client {
	c := *client
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	c.Transport = guard{c.Transport}
	return &c
}

// guard is a RoundTripper whose responses are read already. Its requests must
// be such that they may be repeated.
type guard struct{ next http.RoundTripper }

var errSilent = errors.New("the pooled connection is dead")

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if waits(req) {
		return g.read(req)
	}
	resp, err := g.impatient(req)
	if !errors.Is(err, errSilent) || req.GetBody == nil {
		return resp, err
	}
	// The other idle connections are as old.
	if next, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
	again := req.WithContext(req.Context())
	if again.Body, err = req.GetBody(); err != nil {
		return nil, err
	}
	return g.read(again)
}

// impatient is read with errSilent for a reused connection on which nothing
// comes back.
func (g guard) impatient(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	timer := time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	timer.Stop()
	defer timer.Stop()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(conn httptrace.GotConnInfo) {
		timer.Stop()
		if conn.Reused {
			timer.Reset(patience(ctx))
		}
	}})
	resp, err := g.read(req.WithContext(ctx))
	if err != nil && context.Cause(ctx) == errSilent {
		return nil, errSilent
	}
	return resp, err
}

// read sends req and reads the answer. A good one that is not protobuf or too
// long is an error; a bad one is cut, its beginning says enough.
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
		return &notTwirpError{fmt.Sprintf("a 200 of type %q", kind)}
	case len(body) > limit:
		return &notTwirpError{fmt.Sprintf("an answer of more than %d bytes", limit)}
	}
	return nil
}

// notTwirpError is an answer that no LiveKit would give.
type notTwirpError struct{ got string }

func (e *notTwirpError) Error() string { return "got " + e.got }
