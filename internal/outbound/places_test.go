package outbound_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix/matrixtest"
)

// shared is a server with one address and many names. It counts its open
// connections.
type shared struct {
	*matrixtest.Network
	tr   *outbound.Transport
	open gauge
}

func newShared(t *testing.T, perHost int) *shared {
	t.Helper()
	s := &shared{Network: matrixtest.NewNetwork()}
	t.Cleanup(s.Close)
	s.Serve("192.0.2.1:443", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Path[1:]); err == nil {
			time.Sleep(d)
		}
	}), "*.test")
	s.tr = &outbound.Transport{Dial: s.count, TLS: &tls.Config{RootCAs: s.CA.Pool()}, Pool: &outbound.Pool{PerHost: perHost}}
	t.Cleanup(s.tr.CloseIdleConnections)
	return s
}

func (s *shared) count(ctx context.Context, network, _ string) (net.Conn, error) {
	return s.open.count(s.Dial(ctx, network, "192.0.2.1:443"))
}

// gauge counts open connections: the current number, and the highest number so far.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
}

func (g *gauge) count(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	g.add(1)
	return &closing{Conn: c, closed: func() { g.add(-1) }}, nil
}

// closing is a connection. It calls the function closed when somebody closes it.
type closing struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *closing) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

// visit makes a request for name. The argument after says how long the server
// takes to answer.
func (s *shared) visit(ctx context.Context, name string, after time.Duration) error {
	route := outbound.Route{Scheme: "https", Addr: "192.0.2.1:443", TLSName: name}
	_, _, err := s.tr.Get(ctx, route, name, "/"+after.String(), 100)
	return err
}

// TestPlacesAreHandedOn checks requests that wait for a place at an address. They
// must get the places of ended requests, in the order in which they began to wait.
// The connection of an ended request is for another host name, so no waiting request
// can use it. The pool must close this connection, and not keep it idle.
func TestPlacesAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, 2)
		start := time.Now()
		took := make([]time.Duration, 8)
		var wg sync.WaitGroup
		for i := range took {
			wg.Go(func() {
				if err := s.visit(t.Context(), fmt.Sprintf("n%d.test", i), time.Second); err != nil {
					t.Errorf("name %d: got %v, want no error", i, err)
				}
				took[i] = time.Since(start)
			})
			synctest.Wait() // ensures that this request waits before the next one begins
		}
		wg.Wait()
		want := []time.Duration{1, 1, 2, 2, 3, 3, 4, 4}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(took, want) {
			t.Errorf("answers after %v, want %v", took, want)
		}
		if s.open.now > 2 {
			t.Errorf("%d connections are open, want at most 2", s.open.now)
		}
	})
}

// TestNoPlaceInTime checks the causes of two requests that get no place at an
// address. If the time ends, the cause must be that this service is busy. If
// the caller leaves, the cause must be that the caller has left.
func TestNoPlaceInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.visit(t.Context(), "first.test", 9*time.Second); err != nil {
				t.Errorf("visit: got %v, want no error", err)
			}
		})
		synctest.Wait()
		late, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := s.visit(late, "late.test", 0); outbound.Cause(err) != outbound.CauseCrowded {
			t.Errorf("err = %v, want %q", err, outbound.CauseCrowded)
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if err := s.visit(gone, "gone.test", 0); outbound.Cause(err) != outbound.CauseCanceled {
			t.Errorf("err = %v, want %q", err, outbound.CauseCanceled)
		}
		if err := s.visit(t.Context(), "next.test", 0); err != nil {
			t.Errorf("afterwards: got %v, want no error", err)
		}
		wg.Wait()
	})
}

// TestPlacesOfTheDialer checks that at most PerHost connections to an address are
// open at the same time, even if many dials run at once. The Dialer must apply this
// bound before it sends anything. A dial that fails must give its place back.
func TestPlacesOfTheDialer(t *testing.T) {
	const places = 4
	s := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(s.Close)
	var open gauge
	tr := &outbound.Transport{
		Pool: &outbound.Pool{PerHost: places},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return open.count(new(outbound.Dialer).DialContext(ctx, network, addr))
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	get := func(addr, name string) error {
		_, _, err := tr.Get(t.Context(), outbound.Route{Scheme: "http", Addr: addr, TLSName: name}, name, "/", 100)
		return err
	}
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := get(s.Listener.Addr().String(), fmt.Sprintf("n%d-%d.test", client, i)); err != nil {
					t.Errorf("name %d of client %d: got %v, want no error", i, client, err)
				}
				if err := get("127.0.0.1:1", "nobody.test"); outbound.Cause(err) != outbound.CauseConnect {
					t.Errorf("err = %v, want %q", err, outbound.CauseConnect)
				}
			}
		})
	}
	wg.Wait()
	if open.most > places {
		t.Errorf("%d connections were open at once, want at most %d", open.most, places)
	}
}

// TestNoTimeIsLeftAtAPlace checks a request that gets a place (the right to open a
// connection) only shortly before its deadline. The request then times out. This
// timeout must not count as a failure of the server.
func TestNoTimeIsLeftAtAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, 1)
		done := make(chan error)
		go func() { done <- s.visit(t.Context(), "a.test", 3*time.Second) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3100*time.Millisecond)
		defer cancel()
		if err := s.visit(ctx, "b.test", 3*time.Second); outbound.Cause(err) != outbound.CauseCrowded {
			t.Errorf("%v (%s), want %s", err, outbound.Cause(err), outbound.CauseCrowded)
		}
		if err := <-done; err != nil {
			t.Errorf("the first visit: got %v, want no error", err)
		}
		time.Sleep(3 * time.Second) // wait until the server has answered
	})
}
