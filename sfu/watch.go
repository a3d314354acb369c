package sfu

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// line is how to hold a connection to the SFU without asking anything.
type line struct {
	address, name string
	secure        bool
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	tls           *tls.Config
}

// newLine goes where client would go for api.
func newLine(api *url.URL, client *http.Client) line {
	l := line{name: api.Hostname(), secure: api.Scheme == "https", dial: new(net.Dialer).DialContext, tls: &tls.Config{}}
	port := api.Port()
	if port == "" {
		port = map[bool]string{true: "443", false: "80"}[l.secure]
	}
	l.address = net.JoinHostPort(l.name, port)
	if t, ok := client.Transport.(*http.Transport); ok {
		if t.DialContext != nil {
			l.dial = t.DialContext
		}
		if t.TLSClientConfig != nil {
			l.tls = t.TLSClientConfig
		}
	}
	return l
}

// lineTime bounds the beginning of a connection.
const lineTime = 5 * time.Second

// Watch holds a connection to the SFU until that ends or ctx does, and asks
// nothing: an SFU that dies, and is back before anybody asked, has ended its
// connections all the same. So does a proxy that is tired of an idle one. The
// error is nil if there was a connection.
func (c *Client) Watch(ctx context.Context) error { return c.Hold(ctx, func() {}) }

// Hold is Watch that calls opened once there is a connection.
func (c *Client) Hold(ctx context.Context, opened func()) error {
	conn, err := c.line.open(ctx)
	if err != nil {
		return c.explain("Watch", &url.Error{Op: "Watch", URL: c.url, Err: err}, "")
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	opened()
	_, _ = conn.Read(make([]byte, 1)) // whatever comes, an end or a word, nobody asked for it
	return nil
}

func (l line) open(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, lineTime)
	defer cancel()
	conn, err := l.dial(ctx, "tcp", l.address)
	if err != nil || !l.secure {
		return conn, err
	}
	config := l.tls.Clone()
	config.ServerName = l.name
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}
