package matrix_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// world is a network in memory with a verifier in it.
type world struct {
	*matrixtest.Network
	t        *testing.T
	resolver *matrix.Resolver
	verifier *matrix.Verifier
	named    []string // servers that the operator named
}

func newWorld(t *testing.T, named ...string) *world {
	w := &world{Network: matrixtest.NewNetwork(), t: t, named: named}
	transport := func() *outbound.Transport {
		return &outbound.Transport{Dial: w.Dial, TLS: &tls.Config{RootCAs: w.CA.Pool()}}
	}
	namedTransport, otherTransport := transport(), transport()
	w.resolver = &matrix.Resolver{
		DNS: w.Resolver(),
		Servers: matrix.Servers{
			Named:          func(s matrix.ServerName) bool { return slices.Contains(w.named, s.String()) },
			NamedTransport: namedTransport,
			OtherTransport: otherTransport,
		},
	}
	w.verifier = &matrix.Verifier{Resolver: w.resolver}
	t.Cleanup(func() {
		namedTransport.CloseIdleConnections()
		otherTransport.CloseIdleConnections()
		w.Close()
	})
	return w
}

// nobody is the network of clients that do not matter.
var nobody netip.Prefix

// verify asks for a new token of user, and reports who it proves.
func (w *world) verify(t *testing.T, hs *matrixtest.Homeserver, user string) (string, error) {
	t.Helper()
	id, err := w.verifier.Verify(t.Context(), tokenOf(t, hs, user), matrix.UserID{}, nobody)
	return id.String(), err
}

func tokenOf(t testing.TB, hs *matrixtest.Homeserver, user string) matrix.OpenIDToken {
	t.Helper()
	return matrix.OpenIDToken{AccessToken: secret.New(hs.IssueToken(user)), Server: userID(t, user).Server()}
}

func userID(t testing.TB, s string) matrix.UserID {
	t.Helper()
	id, err := matrix.ParseUserID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func serverName(t *testing.T, s string) matrix.ServerName {
	t.Helper()
	name, err := matrix.ParseServerName(s)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestResolutionTable goes through every row of the specification's table:
// each is a homeserver that can be reached in that row's way only.
func TestResolutionTable(t *testing.T) {
	rows := []struct {
		row, server string
		wellKnown   string // m.server, served at server:443
		srv         map[string]string
		at          string // host:port where the homeserver listens
		certificate string
		host        string // the Host header that it must get
	}{
		{row: "1 IPv4", server: "192.0.2.1", at: "192.0.2.1:8448", certificate: "192.0.2.1", host: "192.0.2.1"},
		{row: "1 IPv4 and port", server: "192.0.2.1:99", at: "192.0.2.1:99", certificate: "192.0.2.1", host: "192.0.2.1:99"},
		{row: "1 IPv6", server: "[2001:db8::1]", at: "[2001:db8::1]:8448", certificate: "2001:db8::1", host: "[2001:db8::1]"},
		{row: "1 IPv6 and port", server: "[2001:db8::1]:99", at: "[2001:db8::1]:99", certificate: "2001:db8::1", host: "[2001:db8::1]:99"},
		{row: "2 port", server: "a.test:99", at: "a.test:99", certificate: "a.test", host: "a.test:99"},
		{row: "3.1 IPv4", server: "a.test", wellKnown: "192.0.2.1", at: "192.0.2.1:8448", certificate: "192.0.2.1", host: "192.0.2.1"},
		{row: "3.1 IPv6 and port", server: "a.test", wellKnown: "[2001:db8::1]:99", at: "[2001:db8::1]:99", certificate: "2001:db8::1", host: "[2001:db8::1]:99"},
		{row: "3.2", server: "a.test", wellKnown: "b.test:443", at: "b.test:443", certificate: "b.test", host: "b.test:443"},
		{row: "3.3", server: "a.test", wellKnown: "b.test",
			srv: map[string]string{"_matrix-fed._tcp.b.test": "c.test", "_matrix._tcp.b.test": "d.test"},
			at:  "c.test:7000", certificate: "b.test", host: "b.test"},
		{row: "3.4", server: "a.test", wellKnown: "b.test", srv: map[string]string{"_matrix._tcp.b.test": "d.test"},
			at: "d.test:7000", certificate: "b.test", host: "b.test"},
		{row: "3.5", server: "a.test", wellKnown: "b.test", srv: map[string]string{"_matrix._tcp.a.test": "d.test"},
			at: "b.test:8448", certificate: "b.test", host: "b.test"},
		{row: "4", server: "a.test", srv: map[string]string{"_matrix-fed._tcp.a.test": "c.test", "_matrix._tcp.a.test": "d.test"},
			at: "c.test:7000", certificate: "a.test", host: "a.test"},
		{row: "5", server: "a.test", srv: map[string]string{"_matrix._tcp.a.test": "d.test"},
			at: "d.test:7000", certificate: "a.test", host: "a.test"},
		{row: "6", server: "a.test", at: "a.test:8448", certificate: "a.test", host: "a.test"},
		{row: "invalid m.server falls to 6", server: "a.test", wellKnown: "https://b.test", at: "a.test:8448", certificate: "a.test", host: "a.test"},
		{row: "no second well-known on the delegated name", server: "a.test", wellKnown: "b.test", at: "b.test:8448", certificate: "b.test", host: "b.test"},
	}
	for _, row := range rows {
		t.Run(row.row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				hs := &matrixtest.Homeserver{}
				w.Serve(row.at, hs, row.certificate)
				if row.wellKnown != "" {
					apex := &matrixtest.Homeserver{}
					apex.Delegate(row.wellKnown)
					w.Serve(row.server+":443", apex)
				}
				for name, target := range row.srv {
					w.SetSRV(name, matrixtest.SRV{Target: target, Port: 7000})
				}
				user := "@alice:" + row.server
				if got, err := w.verify(t, hs, user); err != nil || got != user {
					t.Fatalf("Verify = %q, %v; dialled %q", got, err, w.Dials())
				}
				if got := hs.Requests()[0].Host; got != row.host {
					t.Errorf("Host = %q, want %q", got, row.host)
				}
			})
		})
	}
}

func TestTLSNameIsNeverTheSRVTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix._tcp.a.test", matrixtest.SRV{Target: "evil.test", Port: 7000})
		w.Serve("evil.test:7000", hs, "evil.test")
		_, err := w.verify(t, hs, "@alice:a.test")
		wantCause(t, err, matrix.CauseTLS)
	})
}

func TestSRVPriorityAndFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix-fed._tcp.a.test",
			matrixtest.SRV{Target: "third.test", Port: 7003, Priority: 30},
			matrixtest.SRV{Target: "first.test", Port: 7001, Priority: 10},
			matrixtest.SRV{Target: "second.test", Port: 7002, Priority: 20})
		w.Serve("second.test:7002", hs, "a.test")
		w.Serve("third.test:7003", &matrixtest.Homeserver{}, "a.test")
		for range 2 {
			if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"a.test:443", "first.test:7001", "second.test:7002"}
		if got := w.Dials(); !slices.Equal(got, want) {
			t.Errorf("dialled %q, want %q: the one that answered is asked first from then on", got, want)
		}
	})
}

func TestSRVTargetOfDotIsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix-fed._tcp.a.test", matrixtest.SRV{Target: ".", Port: 1})
		w.Serve("a.test:8448", hs)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOverride(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.Serve("inside.test:8009", http.StripPrefix("/synapse", hs))
		w.resolver.Overrides = map[matrix.ServerName]*url.URL{
			serverName(t, "a.test"): {Scheme: "https", Host: "inside.test:8009", Path: "/synapse/"},
		}
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		if got := w.Dials(); !slices.Equal(got, []string{"inside.test:8009"}) {
			t.Errorf("dialled %q", got)
		}
	})
}

// delegation is a server a.test whose well-known document is scripted.
func delegation(t *testing.T, w *world, cacheControl string) (apex, hs *matrixtest.Homeserver) {
	apex, hs = &matrixtest.Homeserver{}, &matrixtest.Homeserver{}
	apex.ScriptWellKnown(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", cacheControl)
		fmt.Fprint(rw, `{"m.server":"b.test:443"}`)
	})
	w.Serve("a.test:443", apex)
	w.Serve("b.test:443", hs)
	return apex, hs
}

const wellKnownPath = "/.well-known/matrix/server"

func TestWellKnownIsCachedAsItSays(t *testing.T) {
	for _, c := range []struct {
		cacheControl string
		holds        time.Duration
	}{
		{"", 24 * time.Hour},
		{"max-age=600", 10 * time.Minute},
		{"max-age=1", 5 * time.Minute},
		{"no-store", 5 * time.Minute},
		{"public, max-age=31536000", 48 * time.Hour},
	} {
		t.Run(c.cacheControl, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex, hs := delegation(t, w, c.cacheControl)
				for _, wait := range []time.Duration{0, c.holds - time.Minute, 2 * time.Minute} {
					time.Sleep(wait)
					if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
						t.Fatal(err)
					}
				}
				if got := apex.Count(wellKnownPath); got != 2 {
					t.Errorf("asked %d times, want 2: once at first, once after %v", got, c.holds)
				}
			})
		})
	}
}

func TestFailedRefreshKeepsTheLastGoodAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		apex, hs := delegation(t, w, "max-age=3600")
		ok := func() error { _, err := w.verify(t, hs, "@alice:a.test"); return err }
		if err := ok(); err != nil {
			t.Fatal(err)
		}
		apex.ScriptWellKnown(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) })
		time.Sleep(47 * time.Hour)
		if err := ok(); err != nil {
			t.Fatalf("47 h after the last good answer: %v", err)
		}
		before := apex.Count(wellKnownPath)
		time.Sleep(11 * time.Second)
		err := ok()
		synctest.Wait() // nobody waits for the refresh
		if err != nil || apex.Count(wellKnownPath) != before+1 {
			t.Fatalf("a named server is asked again after 10 s: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if err := ok(); err == nil {
			t.Fatal("49 h after the last good answer it still holds")
		}
	})
}

func TestOnlyADefiniteAnswerEndsADelegation(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"404":          func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(404) },
		"invalid body": func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "<html>") },
		"too large":    func(rw http.ResponseWriter, _ *http.Request) { rw.Write(make([]byte, 60<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex, hs := delegation(t, w, "max-age=3600")
				if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
					t.Fatal(err)
				}
				moved := &matrixtest.Homeserver{}
				w.Serve("a.test:8448", moved)
				apex.ScriptWellKnown(answer)
				time.Sleep(2 * time.Hour)
				if _, err := w.verify(t, moved, "@alice:a.test"); err != nil {
					t.Fatal(err)
				}
				// The answer "none" holds for 5 min at first.
				before := apex.Count(wellKnownPath)
				time.Sleep(4 * time.Minute)
				w.verify(t, moved, "@alice:a.test")
				if got := apex.Count(wellKnownPath); got != before {
					t.Errorf("asked again after 4 min")
				}
				time.Sleep(2 * time.Minute)
				w.verify(t, moved, "@alice:a.test")
				if got := apex.Count(wellKnownPath); got != before+1 {
					t.Errorf("asked %d times after 6 min, want 1", got-before)
				}
			})
		})
	}
}

func TestFallbackOfAnUnreachableWellKnownIsBrief(t *testing.T) {
	for _, c := range []struct {
		named []string
		retry time.Duration
	}{{[]string{"a.test"}, 10 * time.Second}, {nil, 2 * time.Minute}} {
		t.Run(c.retry.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.named...)
				hs := &matrixtest.Homeserver{}
				w.Serve("a.test:8448", hs) // nothing at 443
				count := func() (n int) {
					if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
						t.Fatal(err)
					}
					for _, d := range w.Dials() {
						if d == "a.test:443" {
							n++
						}
					}
					return n
				}
				if got := count(); got != 1 {
					t.Fatalf("asked %d times", got)
				}
				time.Sleep(c.retry - time.Second)
				if got := count(); got != 1 {
					t.Errorf("asked again before %v", c.retry)
				}
				time.Sleep(2 * time.Second)
				if got := count(); got != 2 {
					t.Errorf("not asked again after %v", c.retry)
				}
			})
		})
	}
}

func TestFailedConnectionResolvesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex, hs := delegation(t, w, "max-age=86400")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour / 2)
		w.Remove("b.test:443")
		w.Serve("c.test:443", hs)
		apex.Delegate("c.test:443")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatalf("the server has moved: %v", err)
		}
		// A fresh answer that does not help is not asked for again each time.
		w.Remove("c.test:443")
		before := apex.Count(wellKnownPath)
		for range 5 {
			_, err := w.verify(t, hs, "@alice:a.test")
			wantCause(t, err, matrix.CauseConnect)
		}
		if got := apex.Count(wellKnownPath) - before; got != 0 {
			t.Errorf("asked %d times for what is known since a moment", got)
		}
	})
}

func TestOneResolutionInFlightPerName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex, hs := delegation(t, w, "")
		serve := make(chan struct{})
		apex.ScriptWellKnown(func(rw http.ResponseWriter, _ *http.Request) {
			<-serve
			fmt.Fprint(rw, `{"m.server":"b.test:443"}`)
		})
		results := make(chan error)
		for i := range 20 {
			go func() {
				ctx := t.Context()
				if i == 0 { // the first one gives up; the others must not suffer
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				}
				_, err := w.verifier.Verify(ctx, tokenOf(t, hs, "@alice:a.test"), matrix.UserID{}, nobody)
				results <- err
			}()
		}
		time.Sleep(2 * time.Second)
		wantCause(t, <-results, matrix.CauseTimeout)
		close(serve)
		for range 19 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if got := apex.Count(wellKnownPath); got != 1 {
			t.Errorf("asked %d times, want 1", got)
		}
	})
}

func TestWellKnownRedirects(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, to, http.StatusFound) }
	}
	for _, c := range []struct {
		name, to string
		cause    matrix.Cause // "" means that it is followed
	}{
		{"https elsewhere", "https://www.a.test/server.json", ""},
		{"to http", "http://www.a.test/server.json", matrix.CauseConnect},
		{"in circles", "https://a.test/.well-known/matrix/server", matrix.CauseConnect},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex, hs := delegation(t, w, "")
				apex.ScriptWellKnown(redirect(c.to))
				www := http.NewServeMux()
				www.HandleFunc("/server.json", func(rw http.ResponseWriter, _ *http.Request) {
					fmt.Fprint(rw, `{"m.server":"b.test:443"}`)
				})
				w.Serve("www.a.test:443", www)
				_, err := w.verify(t, hs, "@alice:a.test")
				if c.cause == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wantCause(t, err, c.cause)
				if got := apex.Count(wellKnownPath); got > 6 {
					t.Errorf("followed %d times", got)
				}
				if slices.Contains(w.Dials(), "www.a.test:80") {
					t.Error("left https")
				}
			})
		})
	}
}

func TestBrokenDNSIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.BreakSRV("_matrix-fed._tcp.a.test")
		w.Serve("a.test:8448", hs)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		before := w.AskedSRV("_matrix-fed._tcp.a.test")
		time.Sleep(3 * time.Minute)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		if w.AskedSRV("_matrix-fed._tcp.a.test") == before {
			t.Error("a failing name server was taken for the answer that there is no record")
		}
	})
}

// TestClassesShareNothing: a stranger's server that delegates to a destination
// of a named one gets connections of its own.
func TestClassesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "own.test")
		hs := &matrixtest.Homeserver{}
		w.Serve("own.test:8448", hs)
		if _, err := w.verify(t, hs, "@alice:own.test"); err != nil {
			t.Fatal(err)
		}
		evil := &matrixtest.Homeserver{}
		evil.Delegate("own.test:8448")
		w.Serve("evil.test:443", evil)
		w.verify(t, hs, "@mallory:evil.test")
		n := 0
		for _, d := range w.Dials() {
			if d == "own.test:8448" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("own.test:8448 was dialled %d times, want 2: a trusted connection was shared", n)
		}
	})
}

// TestNobodyWaitsForARefreshThatFails: while the last good answer holds, an
// apex that swallows connections holds up one request, not one each 10 s.
func TestNobodyWaitsForARefreshThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		_, hs := delegation(t, w, "max-age=600")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		w.Silence("a.test:443")
		time.Sleep(11 * time.Minute)
		start := time.Now()
		for range 20 {
			if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		if waited := time.Since(start) - 100*time.Second; waited > 5*time.Second {
			t.Errorf("20 requests waited %v in all", waited)
		}
	})
}

// TestSRVTargetsAreBounded: one request does not become a scan of ports that a
// stranger has chosen.
func TestSRVTargetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var records []matrixtest.SRV
		for i := range 500 {
			records = append(records, matrixtest.SRV{Target: "victim.test", Port: uint16(i + 1)})
		}
		w.SetSRV("_matrix-fed._tcp.a.test", records...)
		_, err := w.verify(t, &matrixtest.Homeserver{}, "@alice:a.test")
		wantCause(t, err, matrix.CauseConnect)
		if got := len(w.Dials()); got > 10 {
			t.Errorf("%d connections were tried for one request", got)
		}
	})
}

// TestDiscoveriesAreBounded: they are, also when those who asked have left.
func TestDiscoveriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var now, most int
		w.resolver.OtherTransport.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return nil, ctx.Err()
		}
		for i := range 3000 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			token := matrix.OpenIDToken{AccessToken: secret.New("t"), Server: serverName(t, fmt.Sprintf("s%d.test", i))}
			go w.verifier.Verify(ctx, token, matrix.UserID{}, nobody)
			if i%100 == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if most > 300 {
			t.Errorf("%d connections at once", most)
		}
	})
}

// TestWhyDiscoveryFailed: the log must not send the operator to port 8448 when
// the certificate of the apex is the fault.
func TestWhyDiscoveryFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex := &matrixtest.Homeserver{}
		apex.Delegate("b.test:443")
		w.Serve("a.test:443", apex, "elsewhere.test")
		_, err := w.verify(t, apex, "@alice:a.test")
		wantCause(t, err, matrix.CauseConnect)
		for _, part := range []string{"8448", "well-known of a.test", "certificate is valid for elsewhere.test"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("err = %v, want %q in it", err, part)
			}
		}
	})
}

// TestAClientThatLeavesForgetsNothing: what it did not wait for says nothing of
// the server.
func TestAClientThatLeavesForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex, hs := delegation(t, w, "max-age=86400")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // no connection is idle any more
		w.Silence("b.test:443")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := w.verifier.Verify(ctx, tokenOf(t, hs, "@alice:a.test"), matrix.UserID{}, nobody)
		wantCause(t, err, matrix.CauseCanceled)
		synctest.Wait()
		if got := apex.Count(wellKnownPath); got != 1 {
			t.Errorf("the well-known was fetched %d times", got)
		}
	})
}
