package handler

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var madeUp = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// TestRequestID checks that the answer and the log show the same id for a
// request. Only a trusted proxy may choose this id.
func TestRequestID(t *testing.T) {
	for name, c := range map[string]struct {
		peer  string // the address of the peer of the connection
		given []string
		want  string // the expected id; "" for a new one
	}{
		"none":                    {"127.0.0.1:1234", nil, ""},
		"of a proxy":              {"127.0.0.1:1234", []string{"5f3a2c1b9e8d7c6b5a4f3e2d1c0b9a88"}, "5f3a2c1b9e8d7c6b5a4f3e2d1c0b9a88"},
		"of a proxy, a UUID":      {"10.1.2.3:1234", []string{"8c2f8c0e-6d0a-4b63-9d0c-9a1d5f7b2a11"}, "8c2f8c0e-6d0a-4b63-9d0c-9a1d5f7b2a11"},
		"over a Unix socket":      {"@", []string{"abc"}, "abc"},
		"of a stranger":           {"203.0.113.9:1234", []string{"abc"}, ""},
		"with other signs":        {"127.0.0.1:1234", []string{"a b\"c\x1b[31m;é"}, "abc31m"},
		"of nothing but these":    {"127.0.0.1:1234", []string{"\" \x00"}, ""},
		"empty":                   {"127.0.0.1:1234", []string{""}, ""},
		"too long":                {"127.0.0.1:1234", []string{strings.Repeat("x", 16000)}, strings.Repeat("x", 64)},
		"several: the first":      {"127.0.0.1:1234", []string{"one", "two"}, "one"},
		"cut within a character":  {"127.0.0.1:1234", []string{strings.Repeat("x", 63) + "é"}, strings.Repeat("x", 63)},
		"that forges a log's end": {"127.0.0.1:1234", []string{"a\r\nmsg=request"}, "amsg=request"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig()
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://service.example/healthz", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.RemoteAddr, req.Header[headerRequestID] = c.peer, c.given
			w := httptest.NewRecorder()
			r.Routes().ServeHTTP(w, req)
			got := w.Header()[headerRequestID]
			if len(got) != 1 || c.want != "" && got[0] != c.want || c.want == "" && !madeUp.MatchString(got[0]) {
				t.Errorf("a connection from %s with %q: X-Request-Id %q, want %q once, or a new one", c.peer, c.given, got, c.want)
			}
			if log := r.log.String(); !strings.Contains(log, "request_id="+got[0]) && !strings.Contains(log, `request_id="`+got[0]+`"`) {
				t.Errorf("log: got %s, want the id %q in it", log, got[0])
			}
		})
	}
}

// TestRequestIDsDiffer checks that two requests have different ids.
func TestRequestIDsDiffer(t *testing.T) {
	r := newRig()
	one, two := r.serve("GET", "/healthz", ""), r.serve("GET", "/healthz", "")
	if a, b := one.Header().Get(headerRequestID), two.Header().Get(headerRequestID); a == b {
		t.Errorf("two requests: got the id %q of both, want two", a)
	}
}
