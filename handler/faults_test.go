package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

func TestPanic(t *testing.T) {
	r := newRig()
	r.verifier.before = func(context.Context) error { panic("forged\ntime=1 level=INFO") }
	w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	if got, want := w.Body.String(), `{"errcode":"M_UNKNOWN","error":"Internal error"}`; w.Code != 500 || got != want {
		t.Errorf("%d %s, want 500 %s", w.Code, got, want)
	}
	wantCORS(t, "500", w.Header(), "POST")
	lines := r.log.Lines()
	if len(lines) != 1 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], "cause=internal") || !strings.Contains(lines[0], "fixture_test.go") {
		t.Errorf("log = %q, want one line with the stack", lines)
	}
}

// TestFaultElsewhere checks a panic in work that several requests share. The
// client must get 500, even if the panic is wrapped in another error.
func TestFaultElsewhere(t *testing.T) {
	r := newRig()
	r.verifier.before = func(context.Context) error {
		return &matrix.VerifyError{Cause: matrix.CauseBusy, Err: &fault.Error{Value: "forged\ntime=1 level=INFO", Stack: []byte("where.go:7")}}
	}
	w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	if got, want := w.Body.String(), `{"errcode":"M_UNKNOWN","error":"Internal error"}`; w.Code != 500 || got != want {
		t.Errorf("%d %s, want 500 %s", w.Code, got, want)
	}
	lines := r.log.Lines()
	if len(lines) != 1 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], "cause=internal") || !strings.Contains(lines[0], "where.go:7") {
		t.Errorf("log = %q, want one line with the stack", lines)
	}
}

func TestPanicAfterTheAnswerBegan(t *testing.T) {
	r := newRig()
	r.Routes()
	r.mux.Get("/late", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		panic("late")
	})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", v)
		}
		if lines := r.log.Lines(); len(lines) != 1 || !strings.Contains(lines[0], "cause=internal") {
			t.Errorf("log: got %q, want one line with cause=internal", lines)
		}
	}()
	r.serve("GET", "/late", "")
}

func TestUnknownErrorIsOpaque(t *testing.T) {
	r := newRig()
	r.verifier.before = func(context.Context) error { return errors.New("s3cret detail") }
	w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	if w.Code != 500 || strings.Contains(w.Body.String(), "s3cret") || !strings.Contains(r.log.String(), "s3cret detail") {
		t.Errorf("got %d %s and the log %s, want 500, and the detail in the log alone", w.Code, w.Body, r.log)
	}
}

// silentRooms is a fake SFU that never answers.
type silentRooms struct{}

func (silentRooms) Ensure(ctx context.Context, _ sfu.Room) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// TestDeadline checks that a request ends after 25 s if the homeserver and the
// SFU do not answer.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.Rooms = silentRooms{}
		r.verifier.before = func(ctx context.Context) error {
			select {
			case <-time.After(20 * time.Second):
			case <-ctx.Done():
				t.Errorf("a verification: got %v, want 20 s for it", ctx.Err())
			}
			return nil
		}
		start := time.Now()
		w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
		if took := time.Since(start); w.Code != 500 || took != 25*time.Second {
			t.Errorf("%d after %v, want 500 after 25s", w.Code, took)
		}
	})
}

func TestCanceledClient(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithCancel(context.Background())
	r.verifier.before = func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	}
	r.serveContext(ctx, "POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	if got := r.log.String(); !strings.Contains(got, "level=INFO") || !strings.Contains(got, "status=499") || !strings.Contains(got, "cause=canceled") {
		t.Errorf("log = %s, want status 499 at info", got)
	}
}
