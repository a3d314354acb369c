package matrix_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// long is a text of nearly the size that all headers of an answer together may
// have.
var long = strings.Repeat("x", 15_000)

// wordy holds servers with faults. Each fault leads to an error with a very
// long text.
var wordy = map[string]struct {
	location string
	names    []string // the names in the certificate; nil for the right names
}{
	"redirect to no URL":          {location: "https://[" + long},
	"redirect to a name":          {location: "https://" + long + ".test/"},
	"redirect to another scheme":  {location: long + "://a.test/"},
	"redirect with many queries":  {location: "https://n0.test/?" + long},
	"terminal codes":              {location: "https://[\x1b[31m\u202e" + long},
	"certificate for other names": {location: "/", names: longNames(90)},
}

func longNames(n int) (names []string) {
	label := strings.Repeat("y", 60)
	for i := range n {
		names = append(names, fmt.Sprintf("m%d.%s.%s.%s.example", i, label, label, label))
	}
	return names
}

// newWordyWorld returns a network with one server for all names. The server
// redirects each request to location.
func newWordyWorld(t *testing.T, location string, names []string) (*world, *matrix.ClientAPIs) {
	t.Helper()
	w := newWorld(t)
	if names == nil {
		names = []string{"*.test"}
	}
	w.Serve("wordy.test:443", redirecting(location), names...)
	w.resolver.OtherTransport.Dial = wordyDial("wordy.test:443", w.Dial)
	return w, &matrix.ClientAPIs{Servers: w.resolver.Servers}
}

func redirecting(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	}
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// wordyDial returns a dial function that connects to addr, whatever name the
// caller dials. The function returns an error only for a name that is too long
// for DNS.
func wordyDial(addr string, dial dialer) dialer {
	return func(ctx context.Context, network, asked string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(asked); len(host) > 255 {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return dial(ctx, network, addr)
	}
}

const maxNote = 200

// TestNotesOfStrangers checks the texts that come from a server and that the
// service keeps or shows. Each text must be short, and have only printable
// characters.
func TestNotesOfStrangers(t *testing.T) {
	for name, c := range wordy {
		t.Run(name, func(t *testing.T) {
			w, apis := newWordyWorld(t, c.location, c.names)
			server := matrixtest.ServerName(t, "n1.test")
			d, err := w.resolver.Resolve(t.Context(), server, nobody)
			if err != nil {
				t.Fatal(err)
			}
			checkNote(t, "the destination's note", d.Note)
			_, err = w.verify(t, &matrixtest.Homeserver{}, "@a:n1.test")
			e, ok := errors.AsType[*matrix.VerifyError](err)
			if !ok {
				t.Fatalf("err = %v, want a *VerifyError", err)
			}
			checkNote(t, "the verification's error", e.Err.Error())
			for _, what := range []string{"looked up", "cached"} {
				e, ok := errors.AsType[*matrix.ClientAPIError](apis.Check(t.Context(), server))
				if !ok {
					t.Fatalf("%s: got no *ClientAPIError, want one", what)
				}
				checkNote(t, "the API's error, "+what, e.Err.Error())
				if errors.Unwrap(e.Err) != nil {
					t.Errorf("the API's error, %s: got a %T in it, want none", what, errors.Unwrap(e.Err))
				}
			}
			err = (&matrix.DelayedEvents{APIs: apis}).Send(t.Context(), matrixtest.UserID(t, "@a:n1.test"), delayID(t, "id"))
			checkNote(t, "the delayed event's error", errors.Unwrap(err).Error())
		})
	}
}

func checkNote(t *testing.T, what, note string) {
	t.Helper()
	if len(note) == 0 || len(note) > maxNote || strings.ContainsFunc(note, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%s has %d bytes, want 1 to %d that can be printed: %.300q", what, len(note), maxNote, note)
	}
}

// TestNotesTakeLittleMemory checks a server that sends a text of 15 kB. The
// service must keep less than 10 kB of memory for this server.
func TestNotesTakeLittleMemory(t *testing.T) {
	const names, most = 50, 10_000 // most is how many bytes of memory each name may take
	for name, c := range wordy {
		t.Run(name, func(t *testing.T) {
			resolver, apis := newWordyServer(t, c.location, c.names)
			visit := func(from, to int) {
				for i := from; i < to; i++ {
					server := matrixtest.ServerName(t, fmt.Sprintf("n%d.test", i))
					if _, err := resolver.Resolve(t.Context(), server, nobody); err != nil {
						t.Fatal(err)
					}
					if apis.Check(t.Context(), server) == nil {
						t.Fatalf("%s: got a Client-Server API, want an error", server)
					}
				}
				resolver.OtherTransport.CloseIdleConnections()
			}
			visit(0, 10)
			before := liveBytes()
			visit(10, 10+names)
			if grown := int(liveBytes()) - int(before); grown > names*most {
				t.Errorf("%d bytes more are alive for each of %d names, want at most %d", grown/names, names, most)
			}
			runtime.KeepAlive(resolver)
			runtime.KeepAlive(apis)
		})
	}
}

// newWordyServer is like newWordyWorld, but its server is on loopback.
// Connections in memory would add to the memory that the test measures.
func newWordyServer(t *testing.T, location string, names []string) (*matrix.Resolver, *matrix.ClientAPIs) {
	t.Helper()
	if names == nil {
		names = []string{"*.test"}
	}
	ca := matrixtest.NewCA()
	s := httptest.NewUnstartedServer(redirecting(location))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Certificate(names...)}}
	s.StartTLS()
	t.Cleanup(s.Close)
	transport := &outbound.Transport{TLS: &tls.Config{RootCAs: ca.Pool()}, Dial: wordyDial(s.Listener.Addr().String(), new(outbound.Dialer).DialContext)}
	t.Cleanup(transport.CloseIdleConnections)
	servers := matrix.Servers{OtherTransport: transport}
	return &matrix.Resolver{Servers: servers, DNS: matrixtest.NewNetwork().Resolver()}, &matrix.ClientAPIs{Servers: servers}
}

func liveBytes() uint64 {
	var stats runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestLongBaseURL checks that the service does not keep a long base_url of a
// well-known document.
func TestLongBaseURL(t *testing.T) {
	w := newWorld(t)
	w.Serve("a.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/matrix/client" {
			fmt.Fprintf(rw, `{"m.homeserver":{"base_url":"https://a.test/%s"}}`, strings.Repeat("x", 40_000))
			return
		}
		io.WriteString(rw, `{"versions":["v1.15"],"unstable_features":{"org.matrix.msc4140":true}}`)
	}))
	apis := &matrix.ClientAPIs{Servers: w.resolver.Servers}
	e, ok := errors.AsType[*matrix.ClientAPIError](apis.Check(t.Context(), matrixtest.ServerName(t, "a.test")))
	if !ok || !e.Definite {
		t.Errorf("err = %v (%v), want a definite no", e, ok)
	}
}

// TestCrowdedDiscovery checks a request that fails because too many connections
// to one address are open. The service must learn nothing about the server from
// this failure. As soon as a connection is free, it must ask the server.
func TestCrowdedDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		slow := make(chan struct{})
		hs.ScriptWellKnown(func(rw http.ResponseWriter, r *http.Request) {
			if r.Host == "slow.test" {
				<-slow
			}
			fmt.Fprintf(rw, `{"m.server":"%s:8448"}`, r.Host)
		})
		w.Serve("192.0.2.1:443", hs, "slow.test", "quick.test")
		transport := w.resolver.OtherTransport
		transport.Pool = &outbound.Pool{PerHost: 1}
		transport.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.Dial(ctx, network, "192.0.2.1:443")
		}
		// The slow request takes longer than a discovery, so the slow request
		// and the discovery do not end at the same time.
		go transport.Get(t.Context(), outbound.Route{Scheme: "https", Addr: "192.0.2.1:443", TLSName: "slow.test"},
			"slow.test", "/.well-known/matrix/server", 1000)
		synctest.Wait()
		_, err := w.verify(t, hs, "@a:quick.test")
		if e, ok := errors.AsType[*matrix.VerifyError](err); !ok || e.Cause != matrix.CauseBusy || !e.SparesClient() {
			t.Errorf("err = %v, want one of the cause %q", err, matrix.CauseBusy)
		}
		close(slow)
		time.Sleep(time.Second)
		if user, err := w.verify(t, hs, "@a:quick.test"); err != nil || user != "@a:quick.test" {
			t.Errorf("afterwards: got %q, %v, want @a:quick.test", user, err)
		}
	})
}
