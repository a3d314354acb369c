package handler

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// TestRequestsInProgress checks the bound on requests in progress of one client
// network behind a proxy. The service must refuse further requests of this
// network immediately, and must still serve all other clients.
func TestRequestsInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const share = 3
		r := newRig()
		r.Handler.Metrics = metrics.New("")
		r.InProgress = semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: share})
		r.Routes()
		release := make(chan struct{})
		r.verifier.before = func(context.Context) error { <-release; return nil }
		codes := make(chan int, 100)
		body := sfuGetBody("@alice:" + homeserver)
		for i := range share {
			go func() {
				codes <- r.serve("POST", "/sfu/get", body, "X-Forwarded-For", fmt.Sprintf("2001:db8::%d", i+1)).Code
			}()
		}
		synctest.Wait()
		w := r.serve("POST", "/sfu/get", body, "X-Forwarded-For", "2001:db8::9")
		const want = `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":1000}`
		if got := w.Body.String(); w.Code != 429 || got != want || w.Header().Get("Retry-After") != "1" {
			t.Errorf("one too many: %d %s, Retry-After %q, want 429 %s", w.Code, got, w.Header().Get("Retry-After"), want)
		}
		wantCORS(t, "one too many", w.Header(), "POST")
		if got := r.log.String(); !strings.Contains(got, "route=/sfu/get status=429") || !strings.Contains(got, "cause=limit_in_progress") {
			t.Errorf("log: got %s, want 429 of /sfu/get with the cause limit_in_progress", got)
		}
		if want := `matrixrtc_auth_rate_limited_total{kind="in_progress"} 1`; !strings.Contains(scrape(r.Handler.Metrics), want) {
			t.Errorf("metrics: got none like it, want %s", want)
		}
		others := [][]string{
			{"X-Forwarded-For", "2001:db8:0:1::1"}, // another client network
			{},                                     // without the header, the proxy names no client
			{"X-Forwarded-For", "unknown"},
		}
		for _, headers := range others {
			for range 2 * share {
				go func() { codes <- r.serve("GET", "/healthz", "", headers...).Code }()
			}
		}
		synctest.Wait()
		if n := len(codes); n != len(others)*2*share {
			t.Errorf("%d of the others' requests were answered, want all", n)
		}
		close(release)
		synctest.Wait()
		for len(codes) > 0 {
			if code := <-codes; code != 200 {
				t.Errorf("%d, want 200", code)
			}
		}
		if w := r.serve("POST", "/sfu/get", body, "X-Forwarded-For", "2001:db8::9"); w.Code != 200 {
			t.Errorf("when the others are done: %d, want 200", w.Code)
		}
	})
}

// slowBody is a request body that never arrives.
type slowBody struct{}

func (slowBody) Read([]byte) (int, error) { time.Sleep(time.Hour); return 0, io.EOF }

// deadlines is a ResponseWriter that records the read deadline.
type deadlines struct {
	http.ResponseWriter
	read *time.Time
}

func (d deadlines) SetReadDeadline(t time.Time) error { *d.read = t; return nil }

// TestRefusedBodyIsNotAwaited checks a client that has too many requests in
// progress. The service must refuse the client's next request, and must not
// wait for the body of that request.
func TestRefusedBodyIsNotAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.InProgress = semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: 1})
		routes := r.Routes()
		if _, ok := r.InProgress.TryAcquire(netip.MustParsePrefix("192.0.2.1/32")); !ok {
			t.Fatal("TryAcquire: got false, want a free share")
		}
		req, err := http.NewRequest("POST", "http://x/sfu/get", slowBody{})
		if err != nil {
			t.Fatal(err)
		}
		req.RemoteAddr, req.ContentLength = "127.0.0.1:5", 100
		req.Header.Set("X-Forwarded-For", "192.0.2.1")
		var deadline time.Time
		routes.ServeHTTP(deadlines{&nullWriter{header: http.Header{}}, &deadline}, req)
		if got := deadline.Sub(time.Now().Add(-time.Hour)); got != promptTime {
			t.Errorf("the body had %v, want %v", got, promptTime)
		}
	})
}

// TestRefuse checks requests that net/http cannot read. Each must get a Matrix
// error and a log line.
func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		status        int
		peer          net.Addr
		errcode, text string
		line          string
	}{
		{431, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}, "M_TOO_LARGE", "The headers are too large",
			"level=INFO msg=request status=431 duration_ms=0 client=192.0.2.1 cause=headers_too_large"},
		{400, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5}, "M_UNKNOWN", "The request is malformed",
			"level=INFO msg=request status=400 duration_ms=0 cause=malformed"},
		{501, &net.UnixAddr{Name: "@", Net: "unix"}, "M_UNKNOWN", "The request is malformed",
			"level=INFO msg=request status=501 duration_ms=0 cause=malformed"},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.Refuse(c.status, c.peer))), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				want := `{"errcode":"` + c.errcode + `","error":"` + c.text + `"}`
				if err != nil || resp.StatusCode != c.status || string(body) != want {
					t.Errorf("%d %s (%v), want %d %s", resp.StatusCode, body, err, c.status, want)
				}
				wantCORS(t, "the answer", resp.Header, "POST")
				if got := resp.Header.Get("Content-Type"); got != "application/json" || !resp.Close {
					t.Errorf("Content-Type %q, close %v, want application/json, true", got, resp.Close)
				}
				line := strings.Replace(c.line, "duration_ms=0", "duration_ms=0 request_id="+resp.Header.Get("X-Request-Id"), 1)
				if got := r.log.String(); !strings.HasSuffix(strings.TrimSpace(got), line) {
					t.Errorf("log = %s, want %s", got, line)
				}
			})
		})
	}
}

// TestNoFiles checks a process that cannot open a connection, because it has
// too many open files. The client must get 503 with a Retry-After, because
// neither the client nor its token is at fault.
func TestNoFiles(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		t.Run(errno.Error(), func(t *testing.T) {
			r := newRig()
			dial := &net.OpError{Op: "dial", Net: "tcp", Err: errno}
			r.verifier.before = func(context.Context) error {
				return &matrix.VerifyError{Cause: matrix.CauseConnect, Err: dial}
			}
			w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
			if w.Code != 503 || w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Body.String(), `"errcode":"M_UNKNOWN"`) {
				t.Errorf("%v at the homeserver: %d %s, Retry-After %q, want 503 M_UNKNOWN, 5", errno, w.Code, w.Body, w.Header().Get("Retry-After"))
			}
			if got := r.log.String(); !strings.Contains(got, "cause=no_files") {
				t.Errorf("log = %s, want cause=no_files", got)
			}
		})
	}
}
