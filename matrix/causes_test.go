package matrix_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

func wantCause(t *testing.T, err error, want matrix.Cause) {
	t.Helper()
	var verify *matrix.VerifyError
	if !errors.As(err, &verify) || verify.Cause != want {
		t.Errorf("err = %v, want the cause %q", err, want)
	}
}

// TestCauses checks the cause in the error for each way in which a homeserver
// can answer wrongly or fail to answer. No error may show the token.
func TestCauses(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	otherCA := matrixtest.NewCA()
	wrongName := matrixtest.NewServer(matrixtest.SignedBy(hs.CA()), matrixtest.CertifiedFor("elsewhere.test"))
	defer wrongName.Close()
	alice := hs.UserID("alice")
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for _, c := range []struct {
		name    string
		script  http.HandlerFunc
		prepare func(v *matrix.Verifier, token *matrix.OpenIDToken, claimed *matrix.UserID)
		ca      *matrixtest.CA
		want    matrix.Cause
		text    string // a text that must be in the error
	}{
		{name: "status 403", script: answer(403, `{"errcode":"M_FORBIDDEN"}`), want: matrix.CauseStatus, text: "403"},
		{name: "status 429", script: answer(429, `{"errcode":"M_LIMIT_EXCEEDED"}`), want: matrix.CauseLimited, text: "429"},
		{name: "status 500", script: answer(500, "oops"), want: matrix.CauseTrouble, text: "500"},
		{name: "status 502", script: answer(502, "<html>Bad Gateway</html>"), want: matrix.CauseTrouble, text: "502"},
		{name: "redirect", script: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, hs.URL()+matrixtest.UserInfoPath+"?access_token=x", http.StatusFound)
		}, want: matrix.CauseStatus, text: "302"},
		{name: "html", script: answer(200, "<html>login</html>"), want: matrix.CauseNotJSON},
		{name: "no sub", script: answer(200, `{}`), want: matrix.CauseNotJSON, text: "sub"},
		{name: "sub is a number", script: answer(200, `{"sub":1}`), want: matrix.CauseNotJSON},
		{name: "sub is no user", script: answer(200, `{"sub":"alice"}`), want: matrix.CauseNotJSON},
		{name: "two values", script: answer(200, `{"sub":"`+alice+`"}{}`), want: matrix.CauseNotJSON},
		{name: "foreign subject", script: answer(200, `{"sub":"@alice:elsewhere.test"}`), want: matrix.CauseForeignSubject, text: "elsewhere.test"},
		{name: "subject of the name without the port", script: answer(200, `{"sub":"@alice:127.0.0.1"}`), want: matrix.CauseForeignSubject},
		{name: "claimed user", want: matrix.CauseClaimedUser,
			prepare: func(_ *matrix.Verifier, _ *matrix.OpenIDToken, claimed *matrix.UserID) {
				*claimed = matrixtest.UserID(t, hs.UserID("bob"))
			}},
		{name: "claimed user of another server", want: matrix.CauseClaimedUser,
			prepare: func(_ *matrix.Verifier, _ *matrix.OpenIDToken, claimed *matrix.UserID) {
				*claimed = matrixtest.UserID(t, "@alice:elsewhere.test")
			}},
		{name: "500 MB answer", script: func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for range 500 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, want: matrix.CauseTooLarge},
		{name: "huge header", script: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Pad", strings.Repeat("x", 200<<10))
		}, want: matrix.CauseTooLarge},
		{name: "cut off", script: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"sub":`)
			panic(http.ErrAbortHandler)
		}, want: matrix.CauseProtocol},
		{name: "hanging", script: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, want: matrix.CauseTimeout,
			prepare: func(v *matrix.Verifier, _ *matrix.OpenIDToken, _ *matrix.UserID) { v.Timeout = 100 * time.Millisecond }},
		{name: "hanging within the body", script: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			fmt.Fprint(w, `{"sub":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, want: matrix.CauseTimeout,
			prepare: func(v *matrix.Verifier, _ *matrix.OpenIDToken, _ *matrix.UserID) { v.Timeout = 100 * time.Millisecond }},
		{name: "unknown authority", ca: otherCA, want: matrix.CauseTLS, text: "unknown authority"},
		{name: "certificate of another host", want: matrix.CauseTLS, text: "IP SANs",
			prepare: func(_ *matrix.Verifier, token *matrix.OpenIDToken, _ *matrix.UserID) { token.Server = wrongName.Name() }},
		{name: "nobody listens", want: matrix.CauseConnect,
			prepare: func(_ *matrix.Verifier, token *matrix.OpenIDToken, _ *matrix.UserID) {
				closed := matrixtest.NewServer()
				closed.Close()
				token.Server = closed.Name()
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hs.Script(c.script)
			defer hs.Script(nil)
			ca := hs.CA()
			if c.ca != nil {
				ca = c.ca
			}
			v := loopback(t, ca, true)
			token := tokenOf(t, hs.Homeserver, alice)
			var claimed matrix.UserID
			if c.prepare != nil {
				c.prepare(v, &token, &claimed)
			}
			user, err := v.Verify(t.Context(), token, claimed, nobody)
			wantCause(t, err, c.want)
			if !user.IsZero() {
				t.Errorf("got the user %v with the error %v, want none", user, err)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("err = %v, want %q in it", err, c.text)
			}
			var verify *matrix.VerifyError
			if errors.As(err, &verify); verify.Server != token.Server {
				t.Errorf("server = %v, want %v", verify.Server, token.Server)
			}
			if verify.Addr == "" && verify.Cause != matrix.CauseClaimedUser {
				t.Errorf("%v: got no address, want one", verify)
			}
			wantNoToken(t, err, token)
		})
	}
}

// TestRetryAfter checks a homeserver that answers 429. The error must say how
// long the service has to wait before its next request.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, header, body string
		want               time.Duration
	}{
		{name: "nothing"},
		{name: "seconds", header: "7", want: 7 * time.Second},
		{name: "a date", header: "Sat, 01 Jan 2000 00:00:30 GMT", want: 30 * time.Second},
		{name: "the body", body: `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}`, want: 1500 * time.Millisecond},
		{name: "a fraction", body: `{"retry_after_ms":1500.5}`, want: 1500 * time.Millisecond},
		{name: "the header before the body", header: "3", body: `{"retry_after_ms":1500}`, want: 3 * time.Second},
		{name: "too long", header: "86400", want: time.Hour},
		{name: "far too long", body: `{"retry_after_ms":1e300}`, want: time.Hour},
		{name: "negative", header: "-5", body: `{"retry_after_ms":-5}`},
		{name: "a page", body: "<html>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				hs := &matrixtest.Homeserver{}
				hs.Script(func(rw http.ResponseWriter, _ *http.Request) {
					if c.header != "" {
						rw.Header().Set("Retry-After", c.header)
					}
					rw.WriteHeader(http.StatusTooManyRequests)
					fmt.Fprint(rw, c.body)
				})
				w.Serve("a.test:8448", hs)
				_, err := w.verify(t, hs, "@alice:a.test")
				wantCause(t, err, matrix.CauseLimited)
				if e, ok := errors.AsType[*matrix.VerifyError](err); ok && e.RetryAfter != c.want {
					t.Errorf("RetryAfter is %v, want %v", e.RetryAfter, c.want)
				}
			})
		})
	}
}
