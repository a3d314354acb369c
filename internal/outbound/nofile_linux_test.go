package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// noFiles makes this process unable to open another file until the test ends.
func noFiles(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	t.Cleanup(func() {
		for _, f := range files {
			f.Close()
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Errorf("syscall.Setrlimit: got %v, want no error", err)
		}
	})
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		files = append(files, f)
	}
}

// TestLookUpWithoutAFile checks a look-up that several callers share. The process
// has no file descriptor left for the look-up's socket. The error must tell this
// to each caller. It must not say that the name does not exist.
func TestLookUpWithoutAFile(t *testing.T) {
	noFiles(t)
	transport := &Transport{}
	errs := make(chan error)
	const callers = 8
	for range callers {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, _, err := transport.Get(ctx, Route{"http", "nobody.test:80", "nobody.test"}, "nobody.test", "/", 100)
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; !IsNoFile(err) || Cause(err) != CauseDNS {
			t.Errorf("got %v (%s), want one that says that no file is left, of the cause %s", err, Cause(err), CauseDNS)
		}
	}
}

// TestIdleConnectionsMakeRoomForFiles checks a transport that can open no file for
// a new connection. It must close an idle connection, if possible one in the pool
// Lesser, which holds connections to strangers.
func TestIdleConnectionsMakeRoomForFiles(t *testing.T) {
	for name, c := range map[string]struct{ lesser, own, want string }{
		"of strangers":   {"127.0.0.2", "127.0.0.3", "127.0.0.3"},
		"of its own":     {"", "127.0.0.3", ""},
		"nothing is":     {"", "", ""},
		"strangers only": {"127.0.0.2", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			lesser := &Pool{}
			stranger, named := &Transport{Pool: lesser}, &Transport{Pool: &Pool{Lesser: lesser}}
			defer stranger.CloseIdleConnections()
			defer named.CloseIdleConnections()
			if c.lesser != "" {
				getFrom(t, stranger, serveAt(t, c.lesser))
			}
			if c.own != "" {
				getFrom(t, named, serveAt(t, c.own))
			}
			other := serveAt(t, "127.0.0.4")
			noFiles(t)
			err := get(t, named, other)
			if c.lesser == "" && c.own == "" {
				if !IsNoFile(err) {
					t.Errorf("got %v, want that no file is left", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("got %v, want an answer over a connection that takes the place of an idle one", err)
			}
			if got := idleHost(named.Pool, other); got != c.want {
				t.Errorf("idle beside the new one: %q, want %q", got, c.want)
			}
		})
	}
}

// serveAt starts a server at ip that answers every request, and returns its
// address.
func serveAt(t *testing.T, ip string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

func get(t *testing.T, transport *Transport, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, _, err := transport.Get(ctx, Route{"http", address, ""}, address, "/", 100)
	if err == nil && answer.Status != http.StatusOK {
		err = errors.New("not 200")
	}
	return err
}

func getFrom(t *testing.T, transport *Transport, address string) {
	t.Helper()
	if err := get(t, transport, address); err != nil {
		t.Fatal(err)
	}
}

// idleHost returns the host of an idle connection in p. It ignores connections to
// the address other. It returns "" if there is no such connection.
func idleHost(p *Pool, other string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.order.Front(); e != nil; e = e.Next() {
		if addr := e.Value.(*conn).addr; addr != other {
			return netip.MustParseAddrPort(addr).Addr().String()
		}
	}
	return ""
}
