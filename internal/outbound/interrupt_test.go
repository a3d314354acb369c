package outbound_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// slowHost returns a transport to a server in memory. The argument after says
// how long the server takes to answer each request.
func slowHost(after time.Duration) *outbound.Transport {
	return &outbound.Transport{AnswerTime: time.Hour, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			requests := bufio.NewReader(theirs)
			for {
				if _, err := http.ReadRequest(requests); err != nil {
					return
				}
				time.Sleep(after)
				if _, err := io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

// ways holds the two ways to make a request: Get and RoundTrip.
var ways = map[string]func(context.Context, *outbound.Transport) error{
	"Get": func(ctx context.Context, t *outbound.Transport) error {
		_, _, err := t.Get(ctx, outbound.Route{Scheme: "http", Addr: "192.0.2.1:80"}, "host", "/", 10)
		return err
	},
	"RoundTrip": func(ctx context.Context, t *outbound.Transport) error {
		req := (&http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: "192.0.2.1:80"}, Header: http.Header{}}).WithContext(ctx)
		resp, err := t.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	},
}

// TestCanceledRequestsEnd checks when a request ends after its context is
// cancelled. The request must end immediately, but not earlier than 50 ms after its
// start.
func TestCanceledRequestsEnd(t *testing.T) {
	for name, ask := range ways {
		for _, c := range []struct{ answer, cancel, ends time.Duration }{
			{time.Hour, 0, 50 * time.Millisecond},
			{time.Hour, 20 * time.Millisecond, 50 * time.Millisecond},
			{time.Hour, time.Second, time.Second},
			{20 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond},
		} {
			t.Run(fmt.Sprintf("%s canceled after %v, answered after %v", name, c.cancel, c.answer), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					defer time.Sleep(time.Hour) // wait until the server has ended
					host := slowHost(c.answer)
					defer host.CloseIdleConnections()
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(c.cancel, cancel)
					start := time.Now()
					err := ask(ctx, host)
					took := time.Since(start)
					if answered := c.answer <= took; took != c.ends || answered != (err == nil) || !answered && !errors.Is(err, context.Canceled) {
						t.Errorf("got %v after %v, want the end after %v", err, took, c.ends)
					}
				})
			})
		}
	}
}

// TestInterruptIsOfOneRequest checks that a cancelled context of a finished
// request does not interrupt the next request on the same connection.
func TestInterruptIsOfOneRequest(t *testing.T) {
	for name, ask := range ways {
		for _, pause := range []time.Duration{0, 10 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%s, %v between", name, pause), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					host := slowHost(45 * time.Millisecond)
					defer host.CloseIdleConnections()
					for i := range 4 {
						ctx, cancel := context.WithCancel(t.Context())
						if err := ask(ctx, host); err != nil {
							t.Errorf("request %d: got %v, want an answer", i, err)
						}
						cancel()
						time.Sleep(pause)
					}
				})
			})
		}
	}
}

// TestDeadlinesHold checks that the deadline of the context always applies: before
// the connection begins to watch for the end of the context, and also after that.
func TestDeadlinesHold(t *testing.T) {
	for name, ask := range ways {
		for _, most := range []time.Duration{time.Millisecond, 50 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%s for %v", name, most), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					defer time.Sleep(time.Hour) // wait until the server has ended
					host := slowHost(time.Hour)
					defer host.CloseIdleConnections()
					ctx, cancel := context.WithTimeout(t.Context(), most)
					defer cancel()
					start := time.Now()
					err := ask(ctx, host)
					if took := time.Since(start); took != most || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v after %v, want %v after %v", err, took, context.DeadlineExceeded, most)
					}
				})
			})
		}
	}
}
