package matrix_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
)

// TestASlowServerDoesNotHoldOthersUp checks many requests to one slow server.
// Their number and their time must be bounded, and requests to other servers
// must not wait for them.
func TestASlowServerDoesNotHoldOthersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		var slow atomic.Int32
		w.Serve("a.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet { // there is no well-known document, so the API is at the server name
				rw.WriteHeader(http.StatusNotFound)
				return
			}
			var envelope struct{ Destination string }
			if json.NewDecoder(r.Body).Decode(&envelope) == nil && envelope.Destination == "slow.test" {
				slow.Add(1)
				<-r.Context().Done()
				return
			}
			io.WriteString(rw, `{"status":200,"content":{"jwt":"x"}}`)
		}))
		api := &matrix.AppService{Server: matrixtest.ServerName(t, "a.test"), APIs: &matrix.ClientAPIs{Servers: w.resolver.Servers}}
		ask := func(server string) error {
			_, err := api.RemoteToken(t.Context(), matrixtest.ServerName(t, server), json.RawMessage(`{}`))
			return err
		}
		if err := ask("fast.test"); err != nil { // this request makes the service find the API of a.test, our own homeserver
			t.Fatal(err)
		}
		start := time.Now()
		var waiting sync.WaitGroup
		for range 200 {
			waiting.Go(func() {
				if e, ok := errors.AsType[*matrix.RemoteError](ask("slow.test")); !ok || e.Status != 0 {
					t.Errorf("err = %v, want a *RemoteError without a status", e)
				}
			})
		}
		synctest.Wait()
		if n := slow.Load(); n != 64 {
			t.Errorf("%d requests to one server are under way, want 64", n)
		}
		if err := ask("fast.test"); err != nil || time.Since(start) > time.Second {
			t.Errorf("another server: got %v after %v, want no error within 1 s", err, time.Since(start))
		}
		waiting.Wait()
		if took := time.Since(start); took > 21*time.Second {
			t.Errorf("the last one waited %v, want 20 s", took)
		}
	})
}

// TestASlowServerIsAskedOnce checks that this service sends a slow request to
// our homeserver only once. A second one on another connection would be useless:
// our homeserver itself asks a slow remote server several times.
func TestASlowServerIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		var asked atomic.Int32
		w.Serve("a.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				rw.WriteHeader(http.StatusNotFound)
				return
			}
			if asked.Add(1) > 1 {
				time.Sleep(15 * time.Second)
			}
			io.WriteString(rw, `{"status":200,"content":{"jwt":"x"}}`)
		}))
		api := &matrix.AppService{Server: matrixtest.ServerName(t, "a.test"), APIs: &matrix.ClientAPIs{Servers: w.resolver.Servers}}
		for range 2 { // the second request reuses a connection
			if _, err := api.RemoteToken(t.Context(), matrixtest.ServerName(t, "b.test"), json.RawMessage(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}
