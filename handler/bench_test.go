package handler

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// nullWriter is an http.ResponseWriter that ignores all data.
type nullWriter struct{ header http.Header }

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *nullWriter) WriteHeader(int)             {}

func benchRig(b *testing.B) *rig {
	r := newRig()
	r.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	r.Minter = ticket.NewMinter([]sfu.Key{testKey}, time.Hour)
	r.Users = ratelimit.New[matrix.UserID](ratelimit.Limit{PerMinute: 1 << 30, Burst: 1 << 20})
	r.Failures = access.NewFailureLimiter()
	b.ReportAllocs()
	return r
}

func BenchmarkGetToken(b *testing.B) {
	r := benchRig(b)
	routes := r.Routes()
	body := getTokenBody("@alice:" + stranger)
	req := httptest.NewRequest(http.MethodPost, "/get_token", nil)
	req.Header.Set("X-Forwarded-For", "2001:db8:0:1234::1")
	req.RemoteAddr = "127.0.0.1:1234"
	w := &nullWriter{header: http.Header{}}
	for b.Loop() {
		clear(w.header)
		req.Body = io.NopCloser(strings.NewReader(body))
		routes.ServeHTTP(w, req)
	}
}

func BenchmarkDecodeGetToken(b *testing.B) {
	body := []byte(getTokenBody("@alice:" + stranger))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := decodeGetToken(body); err != nil {
			b.Fatal(err)
		}
	}
}
