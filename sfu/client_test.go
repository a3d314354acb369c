package sfu_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

func TestCreateRoom(t *testing.T) {
	client, server := start(t)
	for range 2 { // a second call for the same room must also succeed
		if err := client.CreateRoom(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
	}
	rooms := server.Rooms()
	if len(rooms) != 1 || rooms[0].Name != "room" {
		t.Fatalf("rooms = %+v, want one", rooms)
	}
	room := rooms[0]
	if room.EmptyTimeout != 300*time.Second || room.DepartureTimeout != 20*time.Second || room.MaxParticipants != 0 {
		t.Errorf("room = %+v, want 300 s, 20 s, no limit", room)
	}
}

func TestAPIToken(t *testing.T) {
	client, server := start(t)
	var header string
	server.FailNext(nil, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		header = r.Header.Get("Authorization")
		if _, sent := r.Header["Idempotency-Key"]; sent {
			t.Error("the SFU got an Idempotency-Key, want none on the wire")
		}
		next.ServeHTTP(w, r)
	})
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	v, err := auth.ParseAPIToken(strings.TrimPrefix(header, "Bearer "))
	if err != nil {
		t.Fatal(err)
	}
	claims, grants, err := v.Verify(apiSecret)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(grants.Video, &auth.VideoGrant{RoomCreate: true}) {
		t.Errorf("the API token grants %+v, want roomCreate alone", grants.Video)
	}
	if life := claims.ExpiresAt.Sub(claims.NotBefore.Time); life > 10*time.Minute {
		t.Errorf("the API token lives %s, want at most 10 min", life)
	}
}

func TestPathPrefix(t *testing.T) {
	for _, prefix := range []string{"", "/", "/livekit/sfu", "/livekit/sfu/"} {
		t.Run(fmt.Sprintf("%q", prefix), func(t *testing.T) {
			fake := sfutest.New(key)
			server := httptest.NewServer(http.StripPrefix(strings.TrimRight(prefix, "/"), fake))
			api, err := url.Parse(server.URL + prefix)
			if err != nil {
				t.Fatal(err)
			}
			if err := sfu.NewClient(api, sfu.Always(key), httpClient(t)).CreateRoom(t.Context(), "room"); err != nil {
				t.Errorf("prefix %q: got %v, want no error", prefix, err)
			}
			server.Close()
		})
	}
}

func TestPrivateCA(t *testing.T) {
	server := httptest.NewTLSServer(sfutest.New(key))
	defer server.Close()
	server.Config.ErrorLog = silent()
	api, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusted := x509.NewCertPool()
	trusting := sfu.NewHTTPClient(func() *x509.CertPool { return trusted }, nil)
	defer trusting.CloseIdleConnections()
	client := sfu.NewClient(api, sfu.Always(key), trusting)
	watch := func() error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return client.Hold(ctx, cancel) // Hold calls cancel when there is a connection
	}
	wantCause(t, client.Ping(t.Context()), sfu.CauseTLS)
	if e, ok := errors.AsType[*sfu.Error](watch()); !ok || e.Cause != sfu.CauseTLS {
		t.Errorf("Watch: %v, want the cause %s", e, sfu.CauseTLS)
	}
	trusted = roots // from now on the client trusts the server's certificate
	if err := client.Ping(t.Context()); err != nil {
		t.Errorf("Ping: got %v, want no error", err)
	}
	if err := watch(); err != nil {
		t.Errorf("watch: got %v, want no error", err)
	}
	wantCause(t, sfu.NewClient(api, sfu.Always(key), httpClient(t)).Ping(t.Context()), sfu.CauseTLS)
}

// TestKeysChange checks that the client signs each call with the key that is
// first in Keys at that time.
func TestKeysChange(t *testing.T) {
	server := sfutest.NewServer(key)
	t.Cleanup(server.Close)
	keys := []sfu.Key{{ID: "former", Secret: key.Secret}, key}
	client := sfu.NewClient(server.APIURL(), func() []sfu.Key { return keys }, httpClient(t))
	wantCause(t, client.Ping(t.Context()), sfu.CauseUnauthorized)
	keys = keys[1:]
	if err := client.Ping(t.Context()); err != nil {
		t.Errorf("Ping: got %v, want no error", err)
	}
}

func TestConnectionIsReused(t *testing.T) {
	client, server := start(t)
	for range 20 {
		if err := client.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.Connections(); got != 1 {
		t.Errorf("20 calls took %d connections, want 1", got)
	}
}

// TestConnectionIsReusedAfterErrors checks that the client reuses a connection
// after a proxy has answered with an error.
func TestConnectionIsReusedAfterErrors(t *testing.T) {
	client, server := start(t)
	server.FailAlways(sfutest.Status(http.StatusBadGateway))
	for range 5 {
		wantCause(t, client.Ping(t.Context()), sfu.CauseStatus)
	}
	if got := server.Connections(); got != 1 {
		t.Errorf("5 calls took %d connections, want 1", got)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailAlways(sfutest.Delay(time.Second))
		client, network := inMemory(t, fake)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if err := client.Ping(t.Context()); err != nil {
					t.Errorf("Ping: got %v, want no error", err)
				}
			})
		}
		wg.Wait()
		if got := network.dials.Load(); got > 128 {
			t.Errorf("200 calls at once: got %d connections, want at most 128", got)
		}
	})
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailNext(sfutest.Delay(2*time.Second), sfutest.Status(http.StatusBadGateway))
		client, _ := inMemory(t, fake)
		type call struct {
			op   string
			took time.Duration
			err  error
		}
		var got []call
		client.Observe = func(op string, d time.Duration, err error) { got = append(got, call{op, d, err}) }
		client.Ping(t.Context())
		failed := client.Ping(t.Context())
		want := []call{{"ListRooms", 2 * time.Second, nil}, {"ListRooms", 0, failed}}
		if failed == nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("observed %v, want %v", got, want)
		}
	})
}

// TestPlainHTTPClient checks that an HTTP client without a transport uses the
// default transport, and does not change it.
func TestPlainHTTPClient(t *testing.T) {
	server := sfutest.NewServer(key)
	defer server.Close()
	before := http.DefaultTransport
	plain := &http.Client{}
	if err := sfu.NewClient(server.APIURL(), sfu.Always(key), plain).Ping(t.Context()); err != nil {
		t.Errorf("Ping: got %v, want no error", err)
	}
	if http.DefaultTransport != before || plain.Transport != nil || plain.CheckRedirect != nil {
		t.Errorf("NewClient: got %v and %+v changed, want what is not its own as before", http.DefaultTransport, plain)
	}
	http.DefaultClient.CloseIdleConnections()
}

// wantCause checks that err is an *sfu.Error with this cause, and does not show
// the API secret.
func wantCause(t *testing.T, err error, cause string) {
	t.Helper()
	var failed *sfu.Error
	if !errors.As(err, &failed) || failed.Cause != cause {
		t.Errorf("got %v, want %s", err, cause)
		return
	}
	if strings.Contains(err.Error(), apiSecret) {
		t.Errorf("the error shows the secret: got %v, want no %q in it", err, apiSecret)
	}
}
