package matrix_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestSlowServersOfOneNetwork checks clients of one network that name many servers
// which never answer. These clients cause more verifications than may run at the
// same time. A request from a different network must still be answered within 1 s.
func TestSlowServersOfOneNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const names, requests = 20, 1200
		w := newWorld(t)
		slow := &matrixtest.Homeserver{}
		slow.Script(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for i := range names {
			w.Serve(fmt.Sprintf("s%d.slow.test:8448", i), slow)
		}
		hs := &matrixtest.Homeserver{}
		w.Serve("honest.test:8448", hs)
		for i := range requests {
			go w.verifier.Verify(t.Context(), matrix.OpenIDToken{AccessToken: secret.New("t"),
				Server: matrixtest.ServerName(t, fmt.Sprintf("s%d.slow.test", i%names))}, matrix.UserID{}, client(0))
		}
		time.Sleep(time.Second)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := w.verifier.Verify(ctx, tokenOf(t, hs, "@alice:honest.test"), matrix.UserID{}, client(1))
		if took := time.Since(start); err != nil || took > time.Second {
			t.Errorf("an honest request of another network: got %v after %v, want no error within 1 s", err, took)
		}
		time.Sleep(30 * time.Second) // waits until all verifications have given up
	})
}
