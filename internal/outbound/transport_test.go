package outbound_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// server answers on loopback over TLS and counts its connections.
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

func TestConnectionsAreReused(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"length": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "hel")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "lo")
		},
		"no body": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"interim": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); fmt.Fprint(w, "hello") },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/there", http.StatusFound)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, conns := server(t, handler)
			c := client(t, s, &outbound.Transport{})
			for range 10 {
				if _, err := get(c, s.URL); err != nil {
					t.Fatal(err)
				}
			}
			if got := conns.Load(); got != 1 {
				t.Errorf("%d connections for 10 requests", got)
			}
		})
	}
}

func TestConnectionIsNotReusedWhenItMustNotBe(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"Connection: close": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
		"body left unread":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 10_000)) },
	} {
		t.Run(name, func(t *testing.T) {
			s, conns := server(t, handler)
			c := client(t, s, &outbound.Transport{})
			for range 3 {
				resp, err := c.Get(s.URL)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			if got := conns.Load(); got != 3 {
				t.Errorf("%d connections for 3 requests", got)
			}
		})
	}
}

// TestBytesBehindTheResponse: a server that sends more than it announced does
// not get to answer the next request with it.
func TestBytesBehindTheResponse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%dHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", n)
			go io.Copy(io.Discard, c)
		}
	}()
	c := &http.Client{Transport: &outbound.Transport{}}
	for _, want := range []string{"1", "2"} {
		if got, err := get(c, "http://"+l.Addr().String()); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestConcurrentRequestsHaveAConnectionEach(t *testing.T) {
	s, conns := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	// A machine that is busy enough keeps a live server silent for a second.
	c := client(t, s, &outbound.Transport{Patience: time.Minute})
	before := runtime.NumGoroutine()
	for range 5 {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 20 {
					if _, err := get(c, s.URL); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	if got := conns.Load(); got > 16 {
		t.Errorf("%d connections for 16 at once", got)
	}
	// The server has one goroutine a connection; we have none.
	if got := runtime.NumGoroutine() - before; got > int(conns.Load())+2 {
		t.Errorf("%d goroutines came with %d connections", got, conns.Load())
	}
}

func TestServerThatClosesIdleConnections(t *testing.T) {
	s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	c := client(t, s, &outbound.Transport{})
	for range 3 {
		if _, err := get(c, s.URL); err != nil {
			t.Fatal(err)
		}
		s.CloseClientConnections()
	}
}

// TestPostIsNotRepeated: a request that may have had an effect is not sent twice.
func TestPostIsNotRepeated(t *testing.T) {
	var posts atomic.Int32
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && posts.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	})
	c := client(t, s, &outbound.Transport{})
	post := func() error {
		resp, err := c.Post(s.URL, "application/json", strings.NewReader("{}"))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := post(); err != nil {
		t.Fatal(err)
	}
	if err := post(); err == nil {
		t.Error("the broken answer was hidden")
	}
	if got := posts.Load(); got != 2 {
		t.Errorf("%d POST requests arrived, want 2", got)
	}
}

// TestDeclaredPostIsRepeated: one that says that it may be sent twice survives
// a connection that has died, with its body.
func TestDeclaredPostIsRepeated(t *testing.T) {
	var bodies []string
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body)+strings.Join(r.Header["Idempotency-Key"], ""))
		if len(bodies) == 2 {
			panic(http.ErrAbortHandler)
		}
	})
	c := client(t, s, &outbound.Transport{})
	for range 2 {
		req, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Idempotency-Key"] = nil
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if got := strings.Join(bodies, " "); got != "{} {} {}" {
		t.Errorf("the bodies %q arrived, want {} three times", got)
	}
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
				t.Error("no error")
			}
			if name != "interim" && !errors.Is(err, outbound.ErrTooLarge) {
				t.Errorf("err = %v, want ErrTooLarge", err)
			}
		})
	}
}

// network serves handler over pipes in memory, plain HTTP.
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

// oneConn is a listener that accepts one connection.
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
func (l *oneConn) Close() error   { return nil }
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

// TestASlowServerIsGivenTime: one that answers after 3 s is not taken for dead
// over and over.
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
			t.Errorf("%d requests were sent for 4", got)
		}
	})
}

func TestContextEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, handler := range map[string]http.HandlerFunc{
			"before the header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"within the body": func(w http.ResponseWriter, r *http.Request) {
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			},
		} {
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
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
			cancel()
		}
	})
}

func TestHandshakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &outbound.Transport{Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go io.Copy(io.Discard, theirs)
			return ours, nil
		}}
		start := time.Now()
		_, err := get(&http.Client{Transport: tr}, "https://a.test")
		if outbound.Cause(err) != outbound.CauseTimeout || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestTLSSessionsAreResumed(t *testing.T) {
	var resumed atomic.Int32
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		w.Header().Set("Connection", "close")
	})
	tr := &outbound.Transport{}
	c := client(t, s, tr)
	tr.TLS = tr.TLS.Clone()
	tr.TLS.ClientSessionCache = new(outbound.Sessions)
	for range 3 {
		if _, err := get(c, s.URL); err != nil {
			t.Fatal(err)
		}
	}
	if got := resumed.Load(); got != 2 {
		t.Errorf("%d of 2 later connections resumed the session", got)
	}
}

// TestRootsChange: every handshake asks for the roots, and who closes the idle
// connections ends what the former ones let in.
func TestRootsChange(t *testing.T) {
	s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {})
	tr := &outbound.Transport{}
	c := client(t, s, tr)
	trusted := tr.TLS.RootCAs
	var roots atomic.Pointer[x509.CertPool]
	tr.Roots = roots.Load
	roots.Store(trusted)
	if _, err := get(c, s.URL); err != nil {
		t.Fatal(err)
	}
	roots.Store(x509.NewCertPool())
	tr.CloseIdleConnections()
	if _, err := get(c, s.URL); err == nil || outbound.Cause(err) != outbound.CauseTLS {
		t.Errorf("with roots that the server is not of: %v, want a fault of TLS", err)
	}
	roots.Store(trusted)
	if _, err := get(c, s.URL); err != nil {
		t.Errorf("with the former roots again: %v", err)
	}
}

// BenchmarkGet compares one small request with net/http's own transport.
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
