package matrix_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// swallow changes how w dials. If the host's name ends in suffix, the dial gets
// no answer and fails after 4 s.
func (w *world) swallow(suffix string) {
	w.resolver.OtherTransport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(addr); !strings.HasSuffix(host, suffix) {
			return w.Dial(ctx, network, addr)
		}
		ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
		defer cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

// client returns the IP network of the n-th test client: one address of
// 198.51.0.0/16.
func client(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)}), 32)
}

// TestAbandonedDiscoveries simulates clients of 16 networks that ask for new
// server names. No server answers at these names, and the clients soon cancel
// their requests. The test checks that a discovery ends soon after its last
// caller has left. It also checks that clients of other networks hardly wait.
func TestAbandonedDiscoveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests, rate, networks = 8000, 800, 16
		w := newWorld(t)
		w.swallow(".dead.test")
		hs := &matrixtest.Homeserver{}
		for i := range requests / 100 {
			w.Serve(fmt.Sprintf("s%d.test:8448", i), hs)
		}
		synctest.Wait()
		before, most := runtime.NumGoroutine(), 0
		honest := make(chan time.Duration, requests)
		var asking sync.WaitGroup
		for i := range requests {
			ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
			defer cancel()
			go w.verifier.Verify(ctx, matrix.OpenIDToken{AccessToken: secret.New("t"),
				Server: matrixtest.ServerName(t, fmt.Sprintf("s%d.dead.test", i))}, matrix.UserID{}, client(i%networks))
			if i%100 == 0 {
				asking.Go(func() {
					start := time.Now()
					user := fmt.Sprintf("@alice:s%d.test", i/100)
					_, err := w.verifier.Verify(t.Context(), tokenOf(t, hs, user), matrix.UserID{}, client(networks+i))
					if err != nil {
						t.Errorf("Verify: got %v, want no error", err)
					}
					honest <- time.Since(start)
				})
				most = max(most, runtime.NumGoroutine()-before)
			}
			time.Sleep(time.Second / rate)
		}
		time.Sleep(10 * time.Second)
		asking.Wait()
		close(honest)
		took := slices.Sorted(values(honest))
		if p50 := took[len(took)/2]; p50 > 100*time.Millisecond {
			t.Errorf("got a p50 of %v for %d honest requests, want at most 100 ms", p50, len(took))
		}
		// The bound allows for 200 requests that are not cancelled yet, for 128
		// discoveries, and for connections in memory. Each of these has at
		// least one goroutine.
		if most > 1000 {
			t.Errorf("got %d goroutines more than before, want at most 1000", most)
		}
		synctest.Wait()
		if left := runtime.NumGoroutine() - before; left > 5*len(took) {
			t.Errorf("got %d goroutines that are left, want at most %d", left, 5*len(took))
		}
		t.Logf("honest p50 %v, longest %v; %d goroutines", took[len(took)/2], took[len(took)-1], most)
	})
}

// values yields the values that are left in a closed channel.
func values[T any](c <-chan T) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for v := range c {
			if !yield(v) {
				return
			}
		}
	}
}
