package sfu

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// holder keeps a connection to the SFU open, and sends no request on it.
type holder struct {
	address string
	dial    dialFunc
}

// newHolder returns a holder, which keeps a connection to the SFU open. The holder
// connects to the API at api in the same way as the given HTTP client.
func newHolder(api *url.URL, client *http.Client) holder {
	secure, port := api.Scheme == "https", api.Port()
	if port == "" {
		port = map[bool]string{true: "443", false: "80"}[secure]
	}
	h := holder{net.JoinHostPort(api.Hostname(), port), new(net.Dialer).DialContext}
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		t = &http.Transport{}
	}
	if t.DialContext != nil {
		h.dial = t.DialContext
	}
	switch {
	case secure && t.DialTLSContext != nil:
		h.dial = t.DialTLSContext
	case secure:
		h.dial = securing(h.dial, t.TLSClientConfig)
	}
	return h
}

// securing returns a dial function that connects with dial and then makes a TLS
// handshake with config. If config is nil, it uses an empty tls.Config.
func securing(dial dialFunc, config *tls.Config) dialFunc {
	if config == nil {
		config = &tls.Config{}
	}
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		return dialTLS(ctx, dial, address, config.Clone())
	}
}

// openTime bounds how long opening the connection takes.
const openTime = 5 * time.Second

// Watch keeps a connection to the SFU open until the connection or ctx ends. It
// sends no request. When an SFU restarts between two calls, the connection
// ends, so Watch notices the restart. A proxy may also end an idle connection.
// The error is nil if there was a connection.
func (c *Client) Watch(ctx context.Context) error { return c.Hold(ctx, func() {}) }

// Hold is like Watch, but also calls the function opened when it is connected.
func (c *Client) Hold(ctx context.Context, opened func()) error {
	conn, err := c.holder.open(ctx)
	if err != nil {
		return c.explain("Watch", &url.Error{Op: "Watch", URL: c.url, Err: err}, "")
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	opened()
	_, _ = conn.Read(make([]byte, 1)) // returns when the SFU closes the connection, or sends bytes that nobody requested
	return nil
}

func (h holder) open(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	return h.dial(ctx, "tcp", h.address)
}
