package handler

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// swamp is a handler with the real verifier and with homeservers of two kinds,
// all on loopback. A homeserver answers if its name ends in .live.test. If its
// name ends in .dead.test, it accepts connections and never answers.
type swamp struct {
	t       testing.TB
	live    *matrixtest.Homeserver
	service string // host:port
	late    func() time.Duration
}

func newSwamp(t testing.TB, limits bool) *swamp {
	s := &swamp{t: t, live: &matrixtest.Homeserver{}, late: lag.Measure(t)}
	ca := matrixtest.NewCA()
	live := httptest.NewUnstartedServer(s.live)
	live.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Certificate("*.live.test")}}
	live.StartTLS()
	t.Cleanup(live.Close)
	dead, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts connections, but nobody reads them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dead.Close() })
	names := matrixtest.NewNetwork()
	transport := &outbound.Transport{
		TLS: &tls.Config{RootCAs: ca.Pool()},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, port, _ := net.SplitHostPort(addr)
			switch {
			case strings.HasSuffix(host, ".dead.test"):
				return new(outbound.Dialer).DialContext(ctx, network, dead.Addr().String())
			case port != "8448":
				return nil, net.ErrClosed // a homeserver of this test has no well-known document
			}
			return new(outbound.Dialer).DialContext(ctx, network, live.Listener.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	r := newRig()
	r.Handler.Log = slog.New(slog.DiscardHandler)
	verifier := &matrix.Verifier{Resolver: &matrix.Resolver{
		DNS: names.Resolver(), Servers: matrix.Servers{Named: r.Named, NamedTransport: transport, OtherTransport: transport},
	}}
	r.Verifier = verifier
	if limits {
		r.Failures, verifier.Trials = access.NewFailureLimiter(), matrix.NewTrialLimiter()
	}
	s.service = strings.TrimPrefix(r.listen(t), "http://")
	return s
}

// request returns the text of a token request for a user of server. The
// parameter from is the client's address, which the header X-Forwarded-For
// names.
func request(server, token, from string) string {
	body := strings.ReplaceAll(badTokenBody(server), "s3cret-token", token)
	return fmt.Sprintf("POST /sfu/get HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", from, len(body), body)
}

// abandon sends the n-th request of a user whose homeserver never answers. It
// closes the connection 100 ms later. The requests come from several client
// networks in turn. The parameter networks is the number of these networks.
func (s *swamp) abandon(n, networks int) {
	conn, err := net.Dial("tcp", s.service)
	if err != nil {
		s.t.Errorf("request %d of a stranger: %v", n, err)
		return
	}
	from := fmt.Sprintf("198.51.100.%d", n%networks)
	if _, err := io.WriteString(conn, request(fmt.Sprintf("s%d.dead.test", n), "t", from)); err != nil {
		s.t.Errorf("request %d of a stranger: %v", n, err)
	}
	time.AfterFunc(time.Second/10, func() { conn.Close() })
}

// ask sends the n-th request of a user whose homeserver answers, and waits for
// the answer. The client is in a network that sends no other request. took is
// how long the answer took.
func (s *swamp) ask(n int) (took time.Duration, err error) {
	server := fmt.Sprintf("s%d.live.test", n)
	token := s.live.IssueToken("@alice:" + server)
	start := time.Now()
	conn, err := net.Dial("tcp", s.service)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request(server, token, fmt.Sprintf("203.0.113.%d", n%256))); err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		err = fmt.Errorf("got the answer %.200q, want one with a token", answer)
	}
	return time.Since(start), err
}

// flooded holds what a test measured during a flood of abandoned requests. In
// such a request, the client disconnects before the answer. In an honest
// request, the client waits.
type flooded struct {
	honest     []time.Duration // how long each honest request took, in ascending order
	failed     int             // how many honest requests failed
	goroutines int             // the largest number of goroutines at any time
	heap       uint64          // the largest heap at any time, in bytes
	late       time.Duration   // by how much this machine was late with its timers
}

func (f flooded) p(percent int) time.Duration { return f.honest[len(f.honest)*percent/100] }

// flood sends many requests, and abandons each of them: it disconnects before
// the answer. It spreads these requests evenly over the duration spread, and
// over several client networks. During the flood, it also makes ten honest
// requests per second.
func (s *swamp) flood(requests, networks int, spread time.Duration) flooded {
	var seen flooded
	var mu sync.Mutex
	var honest sync.WaitGroup
	over := make(chan struct{})
	honest.Go(func() {
		tick := time.NewTicker(time.Second / 10)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			honest.Go(func() {
				took, err := s.ask(n)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					s.t.Logf("honest request %d: %v", n, err)
					seen.failed++
					return
				}
				seen.honest = append(seen.honest, took)
			})
			seen.look()
		}
	})
	const senders = 8
	var strangers sync.WaitGroup
	start := time.Now()
	for first := range senders {
		strangers.Go(func() {
			for n := first; n < requests; n += senders {
				if early := time.Until(start.Add(spread * time.Duration(n) / time.Duration(requests))); early > time.Millisecond {
					<-time.After(early)
				}
				s.abandon(n, networks)
			}
		})
	}
	strangers.Wait()
	close(over)
	honest.Wait()
	slices.Sort(seen.honest)
	seen.late = s.late()
	return seen
}

func (f *flooded) look() {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	f.goroutines = max(f.goroutines, runtime.NumGoroutine())
	f.heap = max(f.heap, memory.HeapInuse+memory.StackInuse)
}

// These are the bounds on the harm that a flood of abandoned requests may do.
const (
	maxHonestP50 = 2 * time.Second
	// requestTime is how long an honest request may take. A slower request is
	// accepted only if this machine's timers were late by requestTime or more.
	requestTime   = 8 * time.Second
	maxGoroutines = 3000
)

func (f flooded) judge(t testing.TB) {
	t.Helper()
	if len(f.honest) == 0 || f.failed > 0 && f.late < requestTime {
		t.Fatalf("honest requests: got %d answers and %d failures, want answers alone", len(f.honest), f.failed)
	}
	if f.p(50) > maxHonestP50+f.late || f.goroutines >= maxGoroutines {
		t.Errorf("honest requests: got a p50 of %v and %d goroutines, want at most %v and fewer than %d", f.p(50), f.goroutines, maxHonestP50+f.late, maxGoroutines)
	}
}

// TestAbandonedRequests simulates a short flood of requests whose clients
// disconnect before the answer. Honest requests must stay fast, and the program
// must have fewer than maxGoroutines goroutines.
func TestAbandonedRequests(t *testing.T) {
	seen := newSwamp(t, false).flood(6000, 16, 3*time.Second)
	seen.judge(t)
	t.Logf("honest: p50 %v, p99 %v; at most %d goroutines, %d kB", seen.p(50), seen.p(99), seen.goroutines, seen.heap>>10)
}

// BenchmarkAbandonedRequests measures a flood of 80,000 abandoned requests from
// 16 client networks within 30 s. It runs the flood once without rate limits
// and once with rate limits. One round is enough:
//
//	go test -run '^$' -bench AbandonedRequests -benchtime 1x ./handler
func BenchmarkAbandonedRequests(b *testing.B) {
	for _, limits := range []bool{false, true} {
		b.Run(fmt.Sprintf("limits=%v", limits), func(b *testing.B) {
			s := newSwamp(b, limits)
			for b.Loop() {
				seen := s.flood(80_000, 16, 30*time.Second)
				seen.judge(b)
				b.ReportMetric(float64(seen.p(50).Microseconds())/1000, "honest-p50-ms")
				b.ReportMetric(float64(seen.p(99).Microseconds())/1000, "honest-p99-ms")
				b.ReportMetric(float64(seen.goroutines), "goroutines")
				b.ReportMetric(float64(seen.heap)/1e6, "MB")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}
