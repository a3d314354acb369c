package matrix_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
)

// wrongPlaces holds handlers for the old address of a Client-Server API. When the
// API has moved, one of these handlers answers at the old address in its place.
var wrongPlaces = map[string]http.HandlerFunc{
	"a page":                      func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
	"a proxy without it":          func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
	"a redirect":                  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://b.test/", http.StatusFound) },
	"nothing that is HTTP":        func(w http.ResponseWriter, _ *http.Request) { raw(w, "220 mail ESMTP\r\n") },
	"a page that is always there": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome</html>") },
	"another prefix": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"errcode":"M_UNRECOGNIZED"}`))
	},
}

// TestAMovedClientAPIIsFound checks a server whose API has moved. The operator
// named this server, and a handler of wrongPlaces answers at its old base_url.
// After one failed request, the service must look up the base_url again, and
// use the new one.
func TestAMovedClientAPIIsFound(t *testing.T) {
	for name, wrong := range wrongPlaces {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, events := delaying(t, "a.test")
				moved := &clientServer{features: delaysEvents, status: 200, body: "{}"}
				w.Serve("b.test:443", moved)
				server.baseURL = "https://old.test"
				w.Serve("old.test:443", &clientServer{features: delaysEvents, status: 200, body: "{}"})
				restart := func() error {
					return events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d"))
				}
				if err := restart(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				w.Serve("old.test:443", wrong)
				events.APIs.NamedTransport.CloseIdleConnections()
				server.set(func() { server.baseURL = "https://b.test" })
				if err := restart(); err == nil {
					t.Fatal("restart at a wrong place: got no error, want one")
				}
				if err := restart(); err != nil {
					t.Errorf("after one request that failed: %v, want the new place asked", err)
				}
			})
		})
	}
}

// TestALookUpForEachFailureIsTooMuch checks a server at which every request
// fails. If the operator named the server, the service may look up its API at
// most once in 10 s. For any other server, the service must not repeat the
// look-up at all.
func TestALookUpForEachFailureIsTooMuch(t *testing.T) {
	for name, c := range map[string]struct {
		named []string
		most  int // how many look-ups there may be in a minute
	}{"named": {[]string{"a.test"}, 7}, "a stranger's": {nil, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server, events := delaying(t, c.named...)
				server.baseURL = "https://a.test"
				server.status, server.body = 502, "<html>"
				for range 60 {
					err := events.Send(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d"))
					if matrix.ResultOf(err) != matrix.ResultFailed {
						t.Fatalf("got %v, want a failure", err)
					}
					time.Sleep(time.Second)
				}
				server.set(func() {
					if server.lookUps > c.most || server.lookUps < 1 {
						t.Errorf("%d look-ups in a minute of failures, want at most %d", server.lookUps, c.most)
					}
				})
			})
		})
	}
}

// TestTheRegistrationsAPIMoves checks the homeserver at which this service is
// registered. If its API has moved, the service must look up the base_url again
// after one failed request.
func TestTheRegistrationsAPIMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		answer := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"joined":true}`)) }
		server := &clientServer{baseURL: "https://old.test"}
		w.Serve("a.test:443", server)
		w.Serve("old.test:443", http.HandlerFunc(answer))
		w.Serve("b.test:443", http.HandlerFunc(answer))
		api := &matrix.AppService{Server: matrixtest.ServerName(t, "a.test"), APIs: &matrix.ClientAPIs{Servers: w.resolver.Servers}}
		isJoined := func(ctx context.Context) (bool, error) {
			return api.IsJoined(ctx, matrixtest.RoomID(t, "!r:a.test"), matrixtest.UserID(t, "@alice:a.test"))
		}
		if joined, err := isJoined(t.Context()); !joined || err != nil {
			t.Fatalf("IsJoined = %v, %v, want true", joined, err)
		}
		time.Sleep(time.Minute)
		w.Serve("old.test:443", wrongPlaces["a page that is always there"])
		w.resolver.NamedTransport.CloseIdleConnections()
		server.set(func() { server.baseURL = "https://b.test" })
		if _, err := isJoined(t.Context()); err == nil {
			t.Fatal("IsJoined of a website: got no error, want one")
		}
		if joined, err := isJoined(t.Context()); !joined || err != nil {
			t.Errorf("after one request that failed: %v, %v, want the new place asked", joined, err)
		}
	})
}
