package outbound_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix/matrixtest"
)

// roomForFour is the pool's bound on handshake bytes in these tests. It allows
// four handshakes of nearly the largest size.
const roomForFour = 4 * maxHandshake

// world is a network of servers n0.test, n1.test, … Their certificates are so
// large that a handshake has nearly the largest allowed size, maxHandshake. The
// path of a request says after which time the server answers.
type world struct {
	*matrixtest.Network
	tr       *outbound.Transport
	requests atomic.Int32
}

func newWorld(t *testing.T, pool *outbound.Pool, servers int) *world {
	t.Helper()
	w := &world{Network: matrixtest.NewNetwork()}
	t.Cleanup(w.Close)
	bulky := matrixtest.NewBulky(0, maxHandshake-3_000)
	for i := range servers {
		name := fmt.Sprintf("n%d.test", i)
		w.ServeTLS(name+":443", http.HandlerFunc(w.answer), behind(w.CA.Certificate(name), bulky.Next()))
	}
	w.tr = &outbound.Transport{Dial: w.Dial, TLS: &tls.Config{RootCAs: w.CA.Pool()}, Pool: pool}
	t.Cleanup(w.tr.CloseIdleConnections)
	return w
}

func (w *world) answer(_ http.ResponseWriter, r *http.Request) {
	w.requests.Add(1)
	if d, err := time.ParseDuration(r.URL.Path[1:]); err == nil {
		time.Sleep(d)
	}
}

// visit makes a request to server i. The argument after says how long the
// server takes to answer.
func (w *world) visit(ctx context.Context, i int, after time.Duration) error {
	name := fmt.Sprintf("n%d.test", i)
	route := outbound.Route{Scheme: "https", Addr: name + ":443", TLSName: name}
	_, _, err := w.tr.Get(ctx, route, name, "/"+after.String(), 100)
	return err
}

func (w *world) dialled(i int) (n int) {
	for _, addr := range w.Dials() {
		if addr == fmt.Sprintf("n%d.test:443", i) {
			n++
		}
	}
	return n
}

// TestLongestIdleGoesFirst checks that a new connection replaces the connection
// that has been idle longest, if the pool is at its bound on handshake bytes.
func TestLongestIdleGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: roomForFour}, 6)
		order := []int{0, 1, 2, 3, 0, 4, 0, 5, 3, 0}
		for _, i := range order {
			if err := w.visit(t.Context(), i, 0); err != nil {
				t.Fatalf("server %d: got %v, want no error", i, err)
			}
			time.Sleep(time.Second)
		}
		// The pool has room for four connections. The connection to server 4 replaced
		// the one to server 1, and server 5 replaced server 2. The other visits reused
		// a connection, so each server was dialled once.
		for i, want := range []int{1, 1, 1, 1, 1, 1} {
			if got := w.dialled(i); got != want {
				t.Errorf("server %d was dialled %d times, want %d (visits %v)", i, got, want, order)
			}
		}
		if err := w.visit(t.Context(), 1, 0); err != nil || w.dialled(1) != 2 {
			t.Errorf("server 1 was dialled %d times (%v), want 2: its connection had to go", w.dialled(1), err)
		}
	})
}

// TestHandshakesWait checks that a new handshake waits while the handshakes of
// connections in use take up all of Pool.MaxHandshakes. The handshake may wait
// until its request's deadline. The wait must not count as time that the server
// took.
func TestHandshakesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: roomForFour}, 16)
		start := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var took []time.Duration
		for i := range 8 {
			wg.Go(func() {
				if err := w.visit(by(t, i), i, 7*time.Second); err != nil {
					t.Errorf("server %d: got %v, want no error", i, err)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(start))
			})
		}
		synctest.Wait()
		if got := w.requests.Load(); got != 4 {
			t.Errorf("%d servers were asked at once, want 4", got)
		}
		w.checkRefusals(t)
		wg.Wait()
		slices.Sort(took)
		if took[3] != 7*time.Second || took[7] != 14*time.Second {
			t.Errorf("answers after %v, want 4 × 7s and 4 × 14s", took)
		}
	})
}

// by returns a context for requests of the n-th asker.
func by(t *testing.T, n int) context.Context {
	addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
	return outbound.For(t.Context(), outbound.Asker{Network: netip.PrefixFrom(addr, 32)})
}

// TestHandshakesAreShared checks one asker who asks many slow servers with
// large certificates. The asker must get at most half of the handshake bytes,
// including the bytes of connections that were idle. Other askers must not wait
// for this asker.
func TestHandshakesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: roomForFour}, 16)
		for i := range 4 { // these four connections become idle, for reuse
			if err := w.visit(by(t, 1), i, 0); err != nil {
				t.Fatalf("server %d: got %v, want no error", i, err)
			}
		}
		w.requests.Store(0)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := w.visit(by(t, 1), i, 7*time.Second); err != nil {
					t.Errorf("server %d: got %v, want no error", i, err)
				}
			})
		}
		synctest.Wait()
		if got := w.requests.Load(); got != 2 {
			t.Errorf("one asker has %d servers asked at once, want 2", got)
		}
		for n := 2; n < 8; n++ {
			start := time.Now()
			if err := w.visit(by(t, n), 6+n, time.Second); err != nil || time.Since(start) != time.Second {
				t.Errorf("asker %d: %v after %v, want an answer after 1s", n, err, time.Since(start))
			}
		}
		wg.Wait()
	})
}

// TestNoTimeIsLeft checks a request that must wait for handshake bytes, and then
// reaches its deadline. This is a failure of the server (CauseTimeout) only if, after
// the wait, the server still had at least a second to answer. Otherwise the cause is
// CauseCrowded.
func TestNoTimeIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		left time.Duration
		want string
	}{
		"nothing":  {100 * time.Millisecond, outbound.CauseCrowded},
		"a second": {time.Second, outbound.CauseTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: maxHandshake}, 1)
				done := make(chan error)
				go func() { done <- w.visit(by(t, 1), 0, 3*time.Second) }()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(by(t, 2), 3*time.Second+c.left)
				defer cancel()
				err := w.visit(ctx, 0, 5*time.Second)
				if got := outbound.Cause(err); got != c.want {
					t.Errorf("%v (%s), want %s", err, got, c.want)
				}
				if err := <-done; err != nil {
					t.Errorf("the first visit: got %v, want no error", err)
				}
				time.Sleep(5 * time.Second) // wait until the server has answered
			})
		})
	}
}

// checkRefusals checks the causes of two requests that end while they wait: one
// at its deadline, and one because its caller leaves.
func (w *world) checkRefusals(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	start := time.Now()
	if err := w.visit(ctx, 8, 0); outbound.Cause(err) != outbound.CauseCrowded || time.Since(start) != 5*time.Second {
		t.Errorf("with 5 s: %v after %v, want %q after 5s", err, time.Since(start), outbound.CauseCrowded)
	}
	gone, leave := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, leave)
	if err := w.visit(gone, 9, 0); outbound.Cause(err) != outbound.CauseCanceled {
		t.Errorf("of a client that left: %v, want %q", err, outbound.CauseCanceled)
	}
}

// TestSilentServersTakeNoRoom checks that requests to other servers succeed
// while many servers accept connections and send nothing.
func TestSilentServersTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: roomForFour}, 64)
		var wg sync.WaitGroup
		for i := range 63 {
			w.Mute(fmt.Sprintf("n%d.test:443", i))
			wg.Go(func() {
				if err := w.visit(t.Context(), i, 0); outbound.Cause(err) != outbound.CauseTimeout {
					t.Errorf("silent server %d: %v, want %q", i, err, outbound.CauseTimeout)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		if err := w.visit(t.Context(), 63, 0); err != nil || time.Since(start) != 0 {
			t.Errorf("an honest server meanwhile: got %v after %v, want no error at once", err, time.Since(start))
		}
		wg.Wait()
	})
}
