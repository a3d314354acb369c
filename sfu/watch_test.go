package sfu_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"matrixrtc-auth/sfu"
)

// watched starts a server that only accepts connections. It returns a client
// for that server, and the server.
func watched(t *testing.T, start func(*httptest.Server)) (*sfu.Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	start(server)
	t.Cleanup(server.Close)
	api, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return sfu.NewClient(api, sfu.Always(key), server.Client()), server
}

func TestWatchEndsWithTheSFU(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			client, server := watched(t, start)
			opened, ended := make(chan struct{}), make(chan error, 1)
			go func() { ended <- client.Hold(t.Context(), func() { close(opened) }) }()
			select {
			case err := <-ended:
				t.Fatalf("Hold: got %v without a connection, want one", err)
			case <-opened:
			}
			select {
			case err := <-ended:
				t.Fatalf("Hold: got it ended with %v while the SFU is there, want it to go on", err)
			case <-time.After(100 * time.Millisecond):
			}
			server.CloseClientConnections()
			if err := <-ended; err != nil {
				t.Errorf("Hold of a connection that the SFU closed: got %v, want no error", err)
			}
			server.Close()
			err := client.Watch(t.Context())
			if e, ok := errors.AsType[*sfu.Error](err); !ok || e.Cause != sfu.CauseConnect {
				t.Errorf("Watch of an SFU that is away: got %v, want the cause %v", err, sfu.CauseConnect)
			}
		})
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	client, _ := watched(t, (*httptest.Server).Start)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = client.Watch(ctx)
	ctx, cancel = context.WithCancel(t.Context())
	if err := client.Hold(ctx, cancel); err != nil {
		t.Errorf("Hold: got %v, want no error", err)
	}
}
