package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// server starts a TLS server on loopback. The *atomic.Int32 counts the server's
// connections.
func server(t testing.TB, handler http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(handler)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, &conns
}

func client(t testing.TB, s *httptest.Server, tr *outbound.Transport) *http.Client {
	tr.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func get(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestResponsesAreBounded(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"body":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) },
		"header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 20<<10)) },
		"tiny header lines": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				w.Header().Set(fmt.Sprint("X", i), "")
			}
		},
		"tiny lines of interim answers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				w.Header().Set(fmt.Sprint("X", i), "")
			}
			w.WriteHeader(103)
			clear(w.Header())
		},
		"tiny lines after an interim answer": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			for i := range 200 {
				w.Header().Set(fmt.Sprint("X", i), "")
			}
		},
		"interim": func(w http.ResponseWriter, _ *http.Request) {
			for range 10 {
				w.WriteHeader(103)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := server(t, handler)
			_, err := get(client(t, s, &outbound.Transport{}), s.URL)
			if err == nil {
				t.Error("got no error, want one")
			}
			if name != "interim" && !errors.Is(err, outbound.ErrTooLarge) {
				t.Errorf("err = %v, want ErrTooLarge", err)
			}
		})
	}
}

// network returns a transport to a plain HTTP server in memory. The server calls
// handler. The *atomic.Int32 counts the connections.
func network(t *testing.T, handler http.HandlerFunc) (*outbound.Transport, *atomic.Int32) {
	t.Helper()
	var dials atomic.Int32
	tr := &outbound.Transport{Dial: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		ours, theirs := net.Pipe()
		go http.Serve(&oneConn{conn: theirs}, handler)
		return ours, nil
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr, &dials
}

// oneConn is a listener that accepts only one connection.
type oneConn struct {
	conn net.Conn
	once bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.once {
		return nil, net.ErrClosed
	}
	l.once = true
	return l.conn, nil
}

func (l *oneConn) Close() error { return nil }

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

func TestIdleConnectionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, dials := network(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
		c := &http.Client{Transport: tr}
		for i, wait := range []time.Duration{0, 49 * time.Second, 49 * time.Second, 80 * time.Second} {
			time.Sleep(wait)
			if _, err := get(c, "http://a.test"); err != nil {
				t.Fatal(err)
			}
			if want := int32(1 + i/3); dials.Load() != want {
				t.Errorf("after waiting %v: %d connections, want %d", wait, dials.Load(), want)
			}
		}
	})
}

// TestASlowServerIsGivenTime checks that the transport does not repeat requests
// to a server that always answers after 3 s.
func TestASlowServerIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		tr, _ := network(t, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			time.Sleep(3 * time.Second)
		})
		c := &http.Client{Transport: tr}
		for range 4 {
			if _, err := get(c, "http://a.test"); err != nil {
				t.Fatal(err)
			}
		}
		if got := requests.Load(); got != 4 {
			t.Errorf("%d requests were sent for 4, want 4", got)
		}
	})
}

func TestContextEndsEverything(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"before the header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"within the body": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, _ := network(t, handler)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a.test", nil)
				start := time.Now()
				resp, err := tr.RoundTrip(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
					t.Errorf("%s: got %v after %v, want %v after 1 min", name, err, time.Since(start), context.DeadlineExceeded)
				}
				cancel()
			})
		})
	}
}

// BenchmarkGet measures one small request with this transport and with
// net/http's own transport.
func BenchmarkGet(b *testing.B) {
	s, _ := server(b, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"sub":"@alice:example.org"}`) })
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	for name, rt := range map[string]http.RoundTripper{
		"outbound": &outbound.Transport{TLS: config},
		"net/http": &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL, nil)
				resp, err := rt.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}
