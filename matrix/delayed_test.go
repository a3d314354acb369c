package matrix_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
)

// clientServer is a fake Client-Server API. It serves only the paths that are
// needed for delayed events.
type clientServer struct {
	mu       sync.Mutex
	baseURL  string // the base_url in .well-known/matrix/client; "" makes the answer 404
	features string // the unstable_features in /versions; "" makes the answer 404
	status   int    // the status of the answer to all other requests
	body     string
	header   http.Header
	paths    []string
	lookUps  int // how often .well-known/matrix/client was requested
}

func (c *clientServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.URL.Path == "/.well-known/matrix/client" && c.baseURL != "":
		c.lookUps++
		json.NewEncoder(w).Encode(map[string]any{"m.homeserver": map[string]string{"base_url": c.baseURL}})
	case strings.HasSuffix(r.URL.Path, "/_matrix/client/versions") && c.features != "":
		fmt.Fprintf(w, `{"versions":["v1.11"],"unstable_features":%s}`, c.features)
	case r.Method == http.MethodPost:
		body, _ := io.ReadAll(r.Body)
		c.paths = append(c.paths, r.URL.EscapedPath()+" "+string(body))
		for name, values := range c.header {
			w.Header()[name] = values
		}
		w.WriteHeader(c.status)
		io.WriteString(w, c.body)
	default:
		http.NotFound(w, r)
	}
}

func (c *clientServer) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

const delaysEvents = `{"org.matrix.msc4140":true,"of.another.kind":{"x":1}}`

// delaying returns a world in which the server a.test can delay events. It also
// returns that server, and a DelayedEvents for tests.
func delaying(t *testing.T, named ...string) (*world, *clientServer, *matrix.DelayedEvents) {
	w := newWorld(t, named...)
	c := &clientServer{features: delaysEvents, status: 200, body: "{}"}
	w.Serve("a.test:443", c)
	return w, c, &matrix.DelayedEvents{APIs: &matrix.ClientAPIs{Servers: w.resolver.Servers}}
}

func delayID(t *testing.T, id string) matrix.DelayID {
	t.Helper()
	d, err := matrix.ParseDelayID(id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDelayedEventPaths(t *testing.T) {
	const unstable = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
	for _, c := range []struct{ features, id, want string }{
		{delaysEvents, "syd_abc", unstable + "syd_abc/restart {}"},
		{`{"org.matrix.msc4140.stable":true}`, "syd_abc", "/_matrix/client/v1/delayed_events/syd_abc/restart {}"},
		{delaysEvents, "../../admin", unstable + "..%2F..%2Fadmin/restart {}"},
		{delaysEvents, "a?b#c d/ü", unstable + "a%3Fb%23c%20d%2F%C3%BC/restart {}"},
	} {
		t.Run(c.id, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server, events := delaying(t)
				server.features = c.features
				if err := events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, c.id)); err != nil {
					t.Fatal(err)
				}
				if got := server.paths; len(got) != 1 || got[0] != c.want {
					t.Errorf("requests %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestDelayIDsThatNoPathCanHold(t *testing.T) {
	for _, id := range []string{"", ".", "..", "a\x00", strings.Repeat("x", 256)} {
		t.Run(fmt.Sprintf("%.20q", id), func(t *testing.T) {
			if _, err := matrix.ParseDelayID(id); err == nil {
				t.Errorf("ParseDelayID(%q): got no error, want one", id)
			}
		})
	}
}

func TestDelayedEventAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		header http.Header
		want   matrix.Result
		wait   time.Duration
	}{
		{status: 200, want: matrix.ResultDone},
		{status: 204, want: matrix.ResultDone},
		{status: 302, header: http.Header{"Location": {"https://evil.test/"}}, want: matrix.ResultFailed},
		{status: 400, body: `{"errcode":"M_INVALID_PARAM"}`, want: matrix.ResultFailed},
		{status: 401, body: `{"errcode":"M_MISSING_TOKEN"}`, want: matrix.ResultNeedsToken},
		{status: 401, body: `{"errcode":"M_UNKNOWN_TOKEN"}`, want: matrix.ResultFailed},
		{status: 403, body: `{"errcode":"M_FORBIDDEN"}`, want: matrix.ResultForbidden},
		{status: 404, body: `{"errcode":"M_NOT_FOUND"}`, want: matrix.ResultGone},
		{status: 404, body: `{"errcode":"M_UNRECOGNIZED"}`, want: matrix.ResultWrongPath},
		{status: 404, body: "<html>", want: matrix.ResultWrongPath},
		{status: 409, want: matrix.ResultGone},
		{status: 429, header: http.Header{"Retry-After": {"7"}}, want: matrix.ResultLimited, wait: 7 * time.Second},
		{status: 429, body: `{"retry_after_ms":1500}`, want: matrix.ResultLimited, wait: 1500 * time.Millisecond},
		{status: 429, header: http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:30 GMT"}}, want: matrix.ResultLimited, wait: 30 * time.Second},
		{status: 429, header: http.Header{"Retry-After": {"-5"}}, want: matrix.ResultLimited},
		{status: 429, body: `{"retry_after_ms":9223372036854775807}`, want: matrix.ResultLimited, wait: time.Hour},
		{status: 500, want: matrix.ResultFailed},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, events := delaying(t)
				server.status, server.body, server.header = c.status, c.body, c.header
				err := events.Send(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d"))
				if got := matrix.ResultOf(err); got != c.want {
					t.Errorf("%v, want %s", err, c.want)
				}
				if e, ok := errors.AsType[*matrix.DelayError](err); ok && e.RetryAfter != c.wait {
					t.Errorf("retry after %v, want %v", e.RetryAfter, c.wait)
				}
				for _, dialled := range w.Dials() {
					if dialled != "a.test:443" {
						t.Errorf("dialled: got %s, want a.test:443 alone", dialled)
					}
				}
			})
		})
	}
}

func TestClientAPI(t *testing.T) {
	for _, c := range []struct {
		name     string
		named    bool
		prepare  func(w *world, server *clientServer, apis *matrix.ClientAPIs)
		err      string // the error of the look-up; "" if the look-up finds the API
		definite bool
	}{
		{name: "the server itself, without a well-known"},
		{name: "base_url elsewhere, with a path", prepare: func(w *world, server *clientServer, _ *matrix.ClientAPIs) {
			server.baseURL = "https://matrix.a.test/hs/"
			w.Serve("matrix.a.test:443", http.StripPrefix("/hs", &clientServer{features: delaysEvents}))
		}},
		{name: "override", prepare: func(w *world, server *clientServer, apis *matrix.ClientAPIs) {
			w.Remove("a.test:443")
			w.Serve("inner.test:8008", server)
			apis.Overrides = map[matrix.ServerName]*url.URL{matrixtest.ServerName(w.t, "a.test"): {Scheme: "https", Host: "inner.test:8008"}}
		}},
		{name: "http", prepare: func(_ *world, server *clientServer, _ *matrix.ClientAPIs) { server.baseURL = "http://a.test" },
			err: "not https", definite: true},
		{name: "no URL", prepare: func(_ *world, server *clientServer, _ *matrix.ClientAPIs) { server.baseURL = "a.test" },
			err: "not the URL", definite: true},
		{name: "user info", prepare: func(_ *world, server *clientServer, _ *matrix.ClientAPIs) { server.baseURL = "https://a@a.test" },
			err: "not the URL", definite: true},
		{name: "delays no events", prepare: func(_ *world, server *clientServer, _ *matrix.ClientAPIs) {
			server.features = `{"org.matrix.msc4140":false}`
		}, err: "max_event_delay_duration", definite: true},
		{name: "no homeserver", prepare: func(_ *world, server *clientServer, _ *matrix.ClientAPIs) { server.features = "" },
			err: "status 404", definite: true},
		{name: "away", prepare: func(w *world, _ *clientServer, _ *matrix.ClientAPIs) { w.Remove("a.test:443") },
			err: "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, events := delaying(t)
				if c.prepare != nil {
					c.prepare(w, server, events.APIs)
				}
				_, err := events.APIs.Find(t.Context(), matrixtest.ServerName(t, "a.test"))
				if c.err == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				e, ok := errors.AsType[*matrix.ClientAPIError](err)
				if !ok || !strings.Contains(err.Error(), c.err) || e.Definite != c.definite {
					t.Errorf("%v (definite: %v), want %q (%v)", err, ok && e.Definite, c.err, c.definite)
				}
			})
		})
	}
}

// TestClientAPIHoldsThroughAnOutage checks a server that stops answering. The
// service must go on with the API that it has already found.
func TestClientAPIHoldsThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, events := delaying(t)
		a := matrixtest.ServerName(t, "a.test")
		if err := events.Manageable(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.Remove("a.test:443")
		time.Sleep(3 * time.Hour)
		if err := events.Manageable(t.Context(), a); err != nil {
			t.Errorf("during an outage: got %v, want no error", err)
		}
	})
}

// TestClientAPIHoldsThroughARefusal checks a server that says for a short time
// that it cannot delay events. Meanwhile, the service still restarts stored
// leaves there, but takes over no new leaves. When the server can delay events
// again, the service must notice it: after 10 s if the operator named the
// server, else after 2 min.
func TestClientAPIHoldsThroughARefusal(t *testing.T) {
	for _, c := range []struct {
		named   []string
		forgets time.Duration
	}{{[]string{"a.test"}, 10 * time.Second}, {nil, 2 * time.Minute}} {
		t.Run(fmt.Sprint(c.named), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server, events := delaying(t, c.named...)
				a := matrixtest.ServerName(t, "a.test")
				restart := func() error {
					return events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d"))
				}
				if err := restart(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour + time.Second)
				server.set(func() { server.features = "" })
				for range 20 {
					if err := restart(); err != nil {
						t.Fatalf("restart while /versions answers 404: got %v, want no error", err)
					}
					time.Sleep(time.Second)
				}
				if err := events.Manageable(t.Context(), a); err == nil {
					t.Error("a new event after a definite no: got no error, want one")
				}
				server.set(func() { server.features = delaysEvents })
				time.Sleep(c.forgets)
				if err := events.Manageable(t.Context(), a); err != nil {
					t.Errorf("%v after it was mended: got %v, want no error", c.forgets, err)
				}
			})
		})
	}
}

// TestClientAPINotFoundAtFirst checks a service that has just started, and
// cannot find the API at first. It must find the API soon enough to restart an
// event with a delay of 18 s.
func TestClientAPINotFoundAtFirst(t *testing.T) {
	for name, away := range map[string]func(*world, *clientServer) (mend func()){
		"away": func(w *world, server *clientServer) func() {
			w.Remove("a.test:443")
			return func() { w.Serve("a.test:443", server) }
		},
		"a definite no": func(_ *world, server *clientServer) func() {
			server.set(func() { server.features = "" })
			return func() { server.set(func() { server.features = delaysEvents }) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, events := delaying(t)
				mend := away(w, server)
				for range 2 {
					if err := events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d")); err == nil {
						t.Fatal("restart while the server is away: got no error, want one")
					}
					time.Sleep(6 * time.Second)
				}
				mend()
				time.Sleep(2 * time.Second)
				if err := events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d")); err != nil {
					t.Errorf("restart 2 s after it is back: got %v, want no error", err)
				}
			})
		})
	}
}
