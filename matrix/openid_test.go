package matrix_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
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

// loopback returns a verifier for servers on loopback, of which none or all
// are named.
func loopback(t testing.TB, ca *matrixtest.CA, named bool) *matrix.Verifier {
	t.Helper()
	transport := func(permit func(netip.Addr) error) *outbound.Transport {
		dialer := &outbound.Dialer{Permit: permit}
		tr := &outbound.Transport{Dial: dialer.DialContext, TLS: &tls.Config{RootCAs: ca.Pool()}}
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	namedTransport, otherTransport := transport(nil), transport(outbound.PublicOnly(nil))
	return &matrix.Verifier{Resolver: &matrix.Resolver{Servers: matrix.Servers{
		Named:          func(matrix.ServerName) bool { return named },
		NamedTransport: namedTransport,
		OtherTransport: otherTransport,
	}}}
}

func TestVerify(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), true)
	alice := userID(t, hs.UserID("alice"))
	for _, claimed := range []matrix.UserID{{}, alice} {
		got, err := v.Verify(t.Context(), tokenOf(t, hs.Homeserver, alice.String()), claimed, nobody)
		if err != nil || got != alice {
			t.Errorf("Verify = %v, %v, want %v", got, err, alice)
		}
	}
}

func TestOneConnectionForManyTokens(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), true)
	for range 50 {
		if _, err := v.Verify(t.Context(), tokenOf(t, hs.Homeserver, hs.UserID("alice")), matrix.UserID{}, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if accepted, _ := hs.Connections(); accepted != 1 {
		t.Errorf("%d connections for 50 verifications one after the other, want 1", accepted)
	}
}

func TestARefusedTokenKeepsTheConnection(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), true)
	for i := range 20 {
		bad := matrix.OpenIDToken{AccessToken: secret.New(fmt.Sprint("bad", i)), Server: hs.Name()}
		_, err := v.Verify(t.Context(), bad, matrix.UserID{}, nobody)
		wantCause(t, err, matrix.CauseStatus)
		if !strings.Contains(err.Error(), "M_UNKNOWN_TOKEN") {
			t.Errorf("err = %v, want the errcode in it", err)
		}
	}
	if accepted, _ := hs.Connections(); accepted != 1 {
		t.Errorf("%d connections for 20 refused tokens, want 1", accepted)
	}
}

// TestCauses has a homeserver do each thing wrong. No error may show the token.
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
		text    string // must be in the error
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
				*claimed = userID(t, hs.UserID("bob"))
			}},
		{name: "claimed user of another server", want: matrix.CauseClaimedUser,
			prepare: func(_ *matrix.Verifier, _ *matrix.OpenIDToken, claimed *matrix.UserID) {
				*claimed = userID(t, "@alice:elsewhere.test")
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
				t.Errorf("a user came with the error: %v", user)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("err = %v, want %q in it", err, c.text)
			}
			var verify *matrix.VerifyError
			if errors.As(err, &verify); verify.Server != token.Server {
				t.Errorf("server = %v, want %v", verify.Server, token.Server)
			}
			if verify.Addr == "" && verify.Cause != matrix.CauseClaimedUser {
				t.Error("the address is missing")
			}
			wantNoToken(t, err, token)
		})
	}
}

// TestRetryAfter: how long a homeserver wants to be left alone comes with the
// error.
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
					t.Errorf("to be left alone for %v, want %v", e.RetryAfter, c.want)
				}
			})
		})
	}
}

func wantNoToken(t *testing.T, err error, token matrix.OpenIDToken) {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "err", err, "token", token)
	all := fmt.Sprintf("%v %+v %#v %s", err, err, token, log.String())
	if strings.Contains(all, token.AccessToken.Reveal()) {
		t.Errorf("the token is shown: %s", all)
	}
}

// TestAServerThatSendsTheTokenBack: whatever it makes of the request, no error
// shows the token.
func TestAServerThatSendsTheTokenBack(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), true)
	for name, answer := range map[string]func(w http.ResponseWriter, token string){
		"sub":           func(w http.ResponseWriter, token string) { fmt.Fprintf(w, `{"sub":%q}`, token) },
		"server of sub": func(w http.ResponseWriter, token string) { fmt.Fprintf(w, `{"sub":"@a:%s"}`, token) },
		"localpart":     func(w http.ResponseWriter, token string) { fmt.Fprintf(w, `{"sub":"@%s:%s!"}`, token, token) },
		"long":          func(w http.ResponseWriter, token string) { fmt.Fprintf(w, `{"sub":"%50s%s"}`, "x", token) },
		"errcode":       func(w http.ResponseWriter, token string) { w.WriteHeader(401); fmt.Fprintf(w, `{"errcode":%q}`, token) },
		"M_ errcode": func(w http.ResponseWriter, token string) {
			w.WriteHeader(401)
			fmt.Fprintf(w, `{"errcode":"M_%s"}`, token)
		},
		"content length": func(w http.ResponseWriter, token string) {
			raw(w, "HTTP/1.1 200 OK\r\nContent-Length: "+token+"\r\n\r\n")
		},
		"status":  func(w http.ResponseWriter, token string) { raw(w, "HTTP/1.1 "+token+" OK\r\n\r\n") },
		"header":  func(w http.ResponseWriter, token string) { raw(w, "HTTP/1.1 200 OK\r\n"+token+"\r\n\r\n") },
		"request": func(w http.ResponseWriter, token string) { raw(w, "GET /?access_token="+token+" HTTP/1.1\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			hs.Script(func(w http.ResponseWriter, r *http.Request) { answer(w, r.URL.Query().Get("access_token")) })
			token := tokenOf(t, hs.Homeserver, hs.UserID("alice"))
			_, err := v.Verify(t.Context(), token, matrix.UserID{}, nobody)
			if err == nil {
				t.Fatal("verified")
			}
			wantNoToken(t, err, token)
			if strings.Contains(err.Error(), token.AccessToken.Reveal()[:10]) {
				t.Errorf("a part of the token is shown: %v", err)
			}
		})
	}
}

// raw answers with text as it is.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(text))
}

// TestStrangersCannotNameInnerAddresses: the listener must not even see a
// connection.
func TestStrangersCannotNameInnerAddresses(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), false)
	_, err := v.Verify(t.Context(), tokenOf(t, hs.Homeserver, hs.UserID("alice")), matrix.UserID{}, nobody)
	wantCause(t, err, matrix.CauseRefused)
	if accepted, _ := hs.Connections(); accepted != 0 {
		t.Errorf("%d connections reached the inner address", accepted)
	}
}

// TestRedirectToLoopbackIsRefused: a well-known document that redirects
// inwards is judged at that hop too.
func TestRedirectToLoopbackIsRefused(t *testing.T) {
	inner := matrixtest.NewServer()
	defer inner.Close()
	w := newWorld(t)
	w.publicBeyond()
	apex := &matrixtest.Homeserver{}
	apex.ScriptWellKnown(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, inner.URL()+"/server.json", http.StatusFound)
	})
	w.Serve("a.test:443", apex)
	_, err := w.verify(t, apex, "@alice:a.test")
	wantCause(t, err, matrix.CauseConnect)
	if accepted, _ := inner.Connections(); accepted != 0 {
		t.Error("the redirect reached loopback")
	}
}

// TestDelegationToLoopbackIsRefused: the same for m.server.
func TestDelegationToLoopbackIsRefused(t *testing.T) {
	inner := matrixtest.NewServer()
	defer inner.Close()
	w := newWorld(t)
	w.publicBeyond()
	apex := &matrixtest.Homeserver{}
	apex.Delegate(inner.Name().String())
	w.Serve("a.test:443", apex)
	_, err := w.verify(t, apex, "@alice:a.test")
	wantCause(t, err, matrix.CauseRefused)
	if accepted, _ := inner.Connections(); accepted != 0 {
		t.Error("m.server reached loopback")
	}
}

// publicBeyond has strangers' connections that leave the network in memory go
// through the check of real addresses.
func (w *world) publicBeyond() {
	real := outbound.Dialer{Permit: outbound.PublicOnly(nil)}
	w.resolver.OtherTransport.Dial =
		func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "127.") {
				return real.DialContext(ctx, network, addr)
			}
			return w.Dial(ctx, network, addr)
		}
}

func TestHalfDeadConnectionCostsAShortRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.Serve("a.test:8448", hs)
		// Eight verifications at once leave eight idle connections.
		gate := make(chan struct{})
		hs.Script(func(rw http.ResponseWriter, _ *http.Request) {
			<-gate
			fmt.Fprint(rw, `{"sub":"@alice:a.test"}`)
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		// They all go dead: what is sent on them gets no answer.
		w.Freeze("a.test:8448")
		start := time.Now()
		for range 5 {
			if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took > 1500*time.Millisecond {
			t.Errorf("five verifications took %v, want one short wait in all", took)
		}
	})
}

func TestSlowServerHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "own.test")
		slow, quick, own := &matrixtest.Homeserver{}, &matrixtest.Homeserver{}, &matrixtest.Homeserver{}
		most := make(chan struct{}, 10_000)
		slow.Script(func(_ http.ResponseWriter, r *http.Request) {
			most <- struct{}{}
			<-r.Context().Done()
		})
		w.Serve("slow.test:8448", slow)
		w.Serve("quick.test:8448", quick)
		w.Serve("own.test:8448", own)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := w.verify(t, slow, "@mallory:slow.test"); err == nil {
					t.Error("verified by a server that does not answer")
				}
			})
		}
		synctest.Wait()
		if got := len(most); got > 64 {
			t.Errorf("%d requests at once at one stranger's server", got)
		}
		start := time.Now()
		for _, c := range []struct {
			hs   *matrixtest.Homeserver
			user string
		}{{quick, "@bob:quick.test"}, {own, "@alice:own.test"}} {
			if _, err := w.verify(t, c.hs, c.user); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("others waited %v for the slow one", took)
		}
		wg.Wait()
	})
}

func TestClientThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		hs.Script(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		w.Serve("a.test:8448", hs)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := w.verifier.Verify(ctx, tokenOf(t, hs, "@alice:a.test"), matrix.UserID{}, nobody)
		wantCause(t, err, matrix.CauseCanceled)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want to stop when the client leaves", took)
		}
	})
}

func FuzzUserInfo(f *testing.F) {
	hs := matrixtest.NewServer()
	f.Cleanup(hs.Close)
	f.Add([]byte(`{"sub":"@alice:example.org"}`))
	f.Add([]byte(`{"sub":"@alice:` + hs.Name().String() + `","sub":null}`))
	f.Add([]byte(`[[[[`))
	transport := &outbound.Transport{TLS: &tls.Config{RootCAs: hs.CA().Pool()}}
	v := &matrix.Verifier{Resolver: &matrix.Resolver{Servers: matrix.Servers{OtherTransport: transport}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		hs.Script(func(w http.ResponseWriter, _ *http.Request) { w.Write(body) })
		token := matrix.OpenIDToken{AccessToken: secret.New("t"), Server: hs.Name()}
		user, err := v.Verify(t.Context(), token, matrix.UserID{}, nobody)
		if err == nil && user.Server() != hs.Name() {
			t.Errorf("%q proved %v", body, user)
		}
	})
}
