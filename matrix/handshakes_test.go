package matrix_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestHeavyServersOfSomeNetworks checks clients that make this service ask many
// servers with the largest certificates that it accepts. Each server answers
// once, and then never again. Clients of other networks must still get answers
// about new server names within 1 s.
func TestHeavyServersOfSomeNetworks(t *testing.T) {
	for name, networks := range map[string]int{"one": 1, "sixteen": 16} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { heavyServers(t, networks) })
		})
	}
}

func heavyServers(t *testing.T, networks int) {
	const names, askers, seconds = 100, 128, 60
	w := newWorld(t)
	w.resolver.OtherTransport.Pool = &outbound.Pool{MaxHandshake: 32 << 10, MaxHandshakes: 2 << 20}
	w.verifier.Trials = matrix.NewTrialLimiter()
	heavy := &matrixtest.Homeserver{}
	bulky := matrixtest.NewBulky(0, 29_000)
	for i := range names {
		host := fmt.Sprintf("s%d.heavy.test", i)
		cert := w.CA.Certificate(host)
		cert.Certificate = append(slices.Clone(cert.Certificate), bulky.Next())
		w.ServeTLS(host+":8448", heavy, cert)
	}
	hs := &matrixtest.Homeserver{}
	for i := range seconds {
		w.Serve(fmt.Sprintf("new%d.test:8448", i), hs)
	}

	abuse, stop := context.WithCancel(t.Context())
	var abusing sync.WaitGroup
	ask := func(i int) {
		w.verifier.Verify(abuse, matrix.OpenIDToken{AccessToken: secret.New("t"),
			Server: matrixtest.ServerName(t, fmt.Sprintf("s%d.heavy.test:8448", i%names))}, matrix.UserID{}, client(i%networks))
	}
	for i := range names { // each server must answer once, so that it counts as a homeserver; later requests are then no trials
		ask(i)
	}
	heavy.Script(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for i := range askers * networks {
		abusing.Go(func() {
			for abuse.Err() == nil {
				ask(i)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	took := w.askHonest(t, hs, seconds, networks)
	stop()
	abusing.Wait()
	if p50, worst := took[len(took)/2], took[len(took)-1]; worst > time.Second {
		t.Errorf("%d honest requests for new names: got a p50 of %v and at most %v, want at most 1 s", len(took), p50, worst)
	}
}

// askHonest verifies one token per second, each of a new server and from a new
// client network. The client networks 0 to networks-1 are not used, because the
// attackers are there. askHonest returns how long the answers took, in ascending
// order.
func (w *world) askHonest(t *testing.T, hs *matrixtest.Homeserver, seconds, networks int) []time.Duration {
	t.Helper()
	took := make([]time.Duration, seconds)
	var asking sync.WaitGroup
	for i := range seconds {
		time.Sleep(time.Second)
		asking.Go(func() {
			start := time.Now()
			user := fmt.Sprintf("@alice:new%d.test", i)
			if _, err := w.verifier.Verify(t.Context(), tokenOf(t, hs, user), matrix.UserID{}, client(networks+i)); err != nil {
				t.Errorf("%s after %d s: got %v, want no error", user, i, err)
			}
			took[i] = time.Since(start)
		})
	}
	asking.Wait()
	slices.Sort(took)
	return took
}

// TestSharedQuestions checks two client networks that ask for the same servers.
// The first network has used up its share of TLS handshakes, and never stops
// asking. The second network asks later. It must get each answer within 2 s,
// although the first network has no share left.
func TestSharedQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const askers, seconds = 64, 30
		w := newWorld(t)
		w.resolver.OtherTransport.Pool = &outbound.Pool{MaxHandshake: 32 << 10, MaxHandshakes: 2 << 20}
		w.stall(askers, ".heavy.test:8448")
		hs := &matrixtest.Homeserver{}
		for i := range seconds {
			w.delegate(fmt.Sprintf("new%d.test", i), fmt.Sprintf("at.new%d.test:443", i))
			w.Serve(fmt.Sprintf("at.new%d.test:443", i), hs)
		}
		abuse, stop := context.WithCancel(t.Context())
		var abusing sync.WaitGroup
		repeat := func(server string) {
			abusing.Go(func() {
				for abuse.Err() == nil {
					w.verifier.Verify(abuse, badToken(t, server), matrix.UserID{}, client(0))
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		for i := range askers {
			repeat(fmt.Sprintf("s%d.heavy.test:8448", i))
		}
		time.Sleep(100 * time.Millisecond)
		for i := range seconds {
			repeat(fmt.Sprintf("new%d.test", i))
		}
		took := w.askHonest(t, hs, seconds, 1)
		stop()
		abusing.Wait()
		if p50, worst := took[len(took)/2], took[len(took)-1]; worst > 2*time.Second {
			t.Errorf("%d honest requests for names that another network asks for: got a p50 of %v and at most %v, want at most 2 s", len(took), p50, worst)
		}
	})
}

// stall serves n servers, called s0 and so on. They have the largest
// certificates that this service accepts, and never answer.
func (w *world) stall(n int, suffix string) {
	heavy, bulky := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), matrixtest.NewBulky(0, 29_000)
	for i := range n {
		host, _, _ := net.SplitHostPort(fmt.Sprintf("s%d%s", i, suffix))
		cert := w.CA.Certificate(host)
		cert.Certificate = append(slices.Clone(cert.Certificate), bulky.Next())
		w.ServeTLS(fmt.Sprintf("s%d%s", i, suffix), heavy, cert)
	}
}
