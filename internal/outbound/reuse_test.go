package outbound_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/internal/outbound"
)

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
				t.Errorf("got %d connections for 10 requests, want 1", got)
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
				t.Errorf("got %d connections for 3 requests, want 3", got)
			}
		})
	}
}

// TestBytesBehindTheResponse checks a server that sends further bytes after the end
// of a response. The transport must not take these bytes for the answer to the next
// request.
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
	// AnswerTime is long, because a busy machine can delay a live server's
	// answer by a second.
	c := client(t, s, &outbound.Transport{AnswerTime: time.Minute})
	before := runtime.NumGoroutine()
	for range 5 {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 20 {
					if _, err := get(c, s.URL); err != nil {
						t.Errorf("get: got %v, want no error", err)
					}
				}
			})
		}
		wg.Wait()
	}
	if got := conns.Load(); got > 16 {
		t.Errorf("got %d connections for 16 at once, want at most 16", got)
	}
	// The server has one goroutine for each connection. The transport must have
	// none.
	if got := runtime.NumGoroutine() - before; got > int(conns.Load())+2 {
		t.Errorf("got %d goroutines with %d connections, want at most 2 more", got, conns.Load())
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

// TestPostIsNotRepeated checks that the transport does not repeat a POST
// request, because the first one may have had an effect.
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
		t.Error("the broken answer was hidden: got no error, want one")
	}
	if got := posts.Load(); got != 2 {
		t.Errorf("%d POST requests arrived, want 2", got)
	}
}

// TestDeclaredPostIsRepeated checks a POST request with an Idempotency-Key on a
// dead connection. The transport must send the request again with its body.
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
