package connlimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const posted = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

// TestHookIsKnown fails if a new version of net/http no longer has the field that
// hookField describes. Then net/http's watch for a disconnect would begin too
// early, and requests would take more CPU time.
func TestHookIsKnown(t *testing.T) {
	if findHook().of == nil {
		t.Error("net/http's body has no field onHitEOF of type func(), want one")
	}
}

// TestOtherBodies checks that endHook returns nil for a body that is not of
// net/http's own type.
func TestOtherBodies(t *testing.T) {
	for name, body := range map[string]io.ReadCloser{
		"none":          http.NoBody,
		"a plain value": io.NopCloser(strings.NewReader("x")),
		"a pointer":     &arriving{},
	} {
		t.Run(name, func(t *testing.T) {
			if hook := endHook(body); hook != nil {
				t.Errorf("endHook(%T): got %p, want nil", body, hook)
			}
		})
	}
}

// gone is a handler that waits until the client has disconnected, but at most an
// hour. It sends the length of its wait to the channel after.
type gone struct{ after chan time.Duration }

func (g gone) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	start := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
	defer cancel()
	<-ctx.Done()
	g.after <- time.Since(start)
}

// TestDisconnectIsNoticed checks that the handler learns that its client has
// disconnected. If the request has a body, the handler learns this after watchDelay
// at the earliest.
func TestDisconnectIsNoticed(t *testing.T) {
	for _, c := range []struct {
		sent        string
		leave, want time.Duration
	}{
		{posted, 0, watchDelay},
		{posted, watchDelay - 1, watchDelay},
		{posted, time.Minute, time.Minute},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0, watchDelay},
		{request, 0, 0},
	} {
		t.Run(fmt.Sprintf("%.4s after %v", c.sent, c.leave), func(t *testing.T) {
			var g gone
			change := func(_ *Options, s *http.Server) {
				g.after = make(chan time.Duration, 1)
				s.Handler = g
			}
			inBubble(t, 8, change, func(t *testing.T, l *lab) {
				p := l.connect("192.0.2.1")
				p.say(c.sent)
				synctest.Wait()
				time.Sleep(c.leave)
				p.Close()
				if got := <-g.after; got != c.want {
					t.Errorf("left after %v: got noticed after %v, want %v", c.leave, got, c.want)
				}
			})
		})
	}
}

// ahead is a connection that counts the reads of a single byte in n. Only
// net/http's watch for a disconnect reads a single byte.
type ahead struct {
	net.Conn
	n *int
}

func (a ahead) Read(p []byte) (int, error) {
	if len(p) == 1 {
		*a.n++
	}
	return a.Conn.Read(p)
}

// TestShortRequestsAreNotWatched checks that net/http's watch for a disconnect
// begins only for requests that take longer than watchDelay. It sends several
// requests on one connection.
func TestShortRequestsAreNotWatched(t *testing.T) {
	for _, c := range []struct {
		times []time.Duration
		want  int
	}{
		{[]time.Duration{0, 0, 0}, 0},
		{[]time.Duration{watchDelay - 1, watchDelay - 1}, 0},
		{[]time.Duration{watchDelay + 1, 0, time.Second}, 2},
	} {
		t.Run(fmt.Sprint(c.times), func(t *testing.T) {
			turns, watches := c.times, 0
			change := func(_ *Options, s *http.Server) {
				s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					time.Sleep(turns[0])
					turns = turns[1:]
				})
			}
			inBubble(t, 8, change, func(t *testing.T, l *lab) {
				ours, theirs := net.Pipe()
				l.door.conns <- visitor{ahead{theirs, &watches}, client("192.0.2.1")}
				p := &peer{Conn: ours, news: make(chan struct{}, 1)}
				go p.listen()
				for i := range c.times {
					if status, _ := p.ask(posted); status != http.StatusOK {
						t.Errorf("request %d: %d, want 200", i, status)
					}
				}
				p.Close()
			})
			if watches != c.want {
				t.Errorf("requests of %v: %d watches, want %d", c.times, watches, c.want)
			}
		})
	}
}

// TestNoWatchWhileTheNextArrives checks that net/http's watch for a disconnect
// never begins while the next request arrives on the same connection.
func TestNoWatchWhileTheNextArrives(t *testing.T) {
	for _, took := range []time.Duration{0, watchDelay - 1, watchDelay, watchDelay + 1} {
		t.Run(took.String(), func(t *testing.T) {
			change := func(_ *Options, s *http.Server) {
				s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					time.Sleep(took)
				})
			}
			inBubble(t, 8, change, func(t *testing.T, l *lab) {
				p := l.connect("192.0.2.1")
				for i := range 3 {
					p.say(posted[:len(posted)-1])
					time.Sleep(3 * watchDelay)
					if status, _ := p.ask("}"); status != http.StatusOK {
						t.Errorf("request %d: %d, want 200", i, status)
					}
				}
				p.Close()
				if l.log.Len() > 0 {
					t.Errorf("got the log %s, want none", &l.log)
				}
			})
		})
	}
}

// TestUnreadBodies checks two requests on one connection whose handler does not
// read the body. Both must get an answer, unless the handler panics.
func TestUnreadBodies(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter)
		want  int // the status of both answers; 0 for no answer
	}{
		"unread":              {func(http.ResponseWriter) {}, http.StatusOK},
		"unread and answered": {func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, http.StatusOK},
		"unread and takes long": {func(w http.ResponseWriter) {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}, http.StatusOK},
		"panic": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(_ *Options, s *http.Server) {
				s.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.serve(w) })
			}
			inBubble(t, 8, change, func(t *testing.T, l *lab) {
				p := l.connect("192.0.2.1")
				for i := range 2 {
					if status, _ := p.ask(posted); status != c.want {
						t.Errorf("request %d: %d, want %d", i, status, c.want)
					}
				}
				p.Close()
				if l.log.Len() > 0 {
					t.Errorf("got the log %s, want none", &l.log)
				}
			})
		})
	}
}

// TestManyRequestsOverSockets makes many requests over real connections, and
// cancels some of them at any time. All requests that were not cancelled must get
// an answer.
func TestManyRequestsOverSockets(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(hello)}
	ended := make(chan error, 1)
	go func() { ended <- New(listener, Options{Limit: 16}).Serve(server) }()
	httpClient := &http.Client{Transport: &http.Transport{}}
	defer httpClient.CloseIdleConnections()
	for i := range 500 {
		ctx, cancel := context.WithCancel(t.Context())
		if i%5 == 0 {
			time.AfterFunc(time.Duration(i)*time.Microsecond/5, cancel)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+listener.Addr().String(), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := httpClient.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("request %d: got %v, want an answer", i, err)
		}
		cancel()
	}
	if err := server.Close(); err != nil {
		t.Errorf("Close: got %v, want no error", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve ended with %v, want http.ErrServerClosed", err)
	}
}
