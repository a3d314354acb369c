package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/matrix"
)

func TestOneLineForEachRequest(t *testing.T) {
	r := newRig()
	for i, c := range []struct {
		method, path, body string
		want               []string
	}{
		{"POST", "/sfu/get", sfuGetBody("@alice:" + homeserver), []string{"level=INFO", "msg=request", "method=POST",
			"route=/sfu/get", "status=200", "duration_ms=", "client=192.0.2.1", "user=@alice:example.org", "room="}},
		{"POST", "/sfu/get", sfuGetBody("@bob:" + stranger), []string{"level=INFO", "status=200",
			`note="no room was created: remote.example is not in LIVEKIT_FULL_ACCESS_HOMESERVERS"`}},
		{"POST", "//sfu/get/", badTokenBody(stranger), []string{"level=WARN", "route=/sfu/get", "status=401", "cause=status",
			"server=remote.example", "token_hash=", "address=192.0.2.7:8448", "M_UNKNOWN_TOKEN"}},
		{"POST", "/get_token", "{}", []string{"level=INFO", "route=/get_token", "status=400", "cause=bad_json", `error="room_id is missing"`}},
		{"GET", "/healthz", "", []string{"level=DEBUG", "route=/healthz", "status=200"}},
		{"GET", "/sfu/get", "", []string{"level=INFO", "route=/sfu/get", "status=405", "cause=no_method"}},
		{"OPTIONS", "/sfu/get", "", []string{"level=INFO", "route=/sfu/get", "status=200"}},
		{"GET", "/wp-login.php?secret=1", "", []string{"level=INFO", "path=/wp-login.php ", "status=404", "cause=no_route"}},
	} {
		t.Run(c.method, func(t *testing.T) {
			r.serve(c.method, c.path, c.body, "X-Real-IP", "192.0.2.1")
			lines := r.log.Lines()
			if len(lines) != i+1 {
				t.Fatalf("after %d requests: got %d lines, want as many:\n%s", i+1, len(lines), r.log)
			}
			for _, want := range c.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%s %s: got %s, want %s in it", c.method, c.path, lines[i], want)
				}
			}
		})
	}
	if strings.Contains(r.log.String(), "secret=1") {
		t.Errorf("a query string is in the log: got %s, want no secret=1 in it", r.log.String())
	}
}

func TestTheTokenIsNeverLogged(t *testing.T) {
	r := newRig()
	r.Log = slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.serve("POST", "/sfu/get", badTokenBody(stranger))
	r.serve("POST", "/sfu/get", replaceIn(t, badTokenBody(stranger), "device_id", "5"))
	r.serve("POST", "/sfu/get", badTokenBody(stranger)+"x")
	r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	r.verifier.before = func(context.Context) error { panic("boom") }
	r.serve("POST", "/sfu/get", badTokenBody(stranger))
	for _, secret := range []string{"s3cret", "user:@alice", "header.payload", testKey.Secret.Reveal()} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("log: want no %q in it, got\n%s", secret, r.log)
		}
	}
	if n := strings.Count(r.log.String(), `"token_hash":"`); n != 2 {
		t.Errorf("%d token hashes, want one for each failed verification", n)
	}
}

// TestForgedLines checks that a stranger's text in the log cannot look like
// another line of the log.
func TestForgedLines(t *testing.T) {
	const forged = "x\ntime=2026-01-01 level=INFO msg=request user=@admin:example.org\r\n\x1b[31m"
	for format, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(format, func(t *testing.T) {
			r := newRig()
			var out bytes.Buffer
			r.Log = slog.New(handler(&out))
			user, err := json.Marshal("@" + forged + ":" + stranger)
			if err != nil {
				t.Fatal(err)
			}
			r.serve("POST", "/get_token", replaceIn(t, replaceIn(t, getTokenBody("@a:"+stranger),
				"openid_token.access_token", `"user:`+string(user[1:])), "member.claimed_user_id", string(user)))
			r.verifier.before = func(context.Context) error {
				return &matrix.VerifyError{Cause: matrix.CauseStatus, Addr: forged, Err: errors.New(forged)}
			}
			r.serve("POST", "/sfu/get", badTokenBody(stranger))
			r.serve("POST", "/a%0Atime=2026%1b%5b31m", "")
			if n := strings.Count(out.String(), "\n"); n != 3 {
				t.Errorf("%s: got %d lines for 3 requests, want 3:\n%s", format, n, out.String())
			}
			if strings.ContainsAny(out.String(), "\r\x1b") || !strings.Contains(out.String(), "@admin:example.org") {
				t.Errorf("%s: want control characters escaped, got\n%q", format, out.String())
			}
		})
	}
}

func TestLoggedTextIsBounded(t *testing.T) {
	r := newRig()
	long := strings.Repeat("é", 5000)
	r.verifier.before = func(context.Context) error {
		return &matrix.VerifyError{Cause: matrix.CauseStatus, Addr: long, Err: errors.New(long)}
	}
	r.serve("POST", "/sfu/get", badTokenBody(stranger))
	r.serve("GET", "/"+strings.Repeat("x", 10_000), "")
	r.serve(strings.Repeat("X", 10_000), "/", "")
	for _, line := range r.log.Lines() {
		if len(line) > 2000 {
			t.Errorf("got a line of %d bytes, want at most 2000", len(line))
		}
		if strings.ContainsRune(line, '\uFFFD') {
			t.Errorf("got %s, want no character cut in two", line)
		}
	}
}

func TestQuietLevels(t *testing.T) {
	r := newRig()
	r.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	r.serve("GET", "/healthz", "")
	if got := r.log.String(); got != "" {
		t.Errorf("log = %s, want nothing", got)
	}
}

func TestMetrics(t *testing.T) {
	r := newRig()
	r.Handler.Metrics = metrics.New("1.2.3")
	r.Authorizer.Metrics = r.Handler.Metrics
	r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	r.serve("POST", "/", sfuGetBody("@alice:"+stranger))
	r.serve("POST", "/sfu/get", badTokenBody(stranger))
	r.serve("GET", "/some/stranger/path", "")
	r.serve("STRANGE", "/get_token", "")
	w := scrape(r.Handler.Metrics)
	for _, want := range []string{
		`matrixrtc_auth_requests_total{route="/sfu/get",status="200"} 1`,
		`matrixrtc_auth_requests_total{route="/",status="200"} 1`,
		`matrixrtc_auth_requests_total{route="/sfu/get",status="401"} 1`,
		`matrixrtc_auth_requests_total{route="",status="404"} 1`,
		`matrixrtc_auth_requests_total{route="/get_token",status="405"} 1`,
		`matrixrtc_auth_verifications_total{cause="ok"} 2`,
		`matrixrtc_auth_verifications_total{cause="status"} 1`,
		`matrixrtc_auth_rooms_total{result="created"} 1`,
	} {
		if !strings.Contains(w, want+"\n") {
			t.Errorf("metrics: want %s in it, got\n%s", want, w)
		}
	}
	if strings.Contains(w, "stranger") || strings.Contains(w, "STRANGE") {
		t.Errorf("metrics: want no label with what a stranger wrote, got\n%s", w)
	}
}
