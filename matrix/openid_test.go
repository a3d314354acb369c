package matrix_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
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

func TestVerify(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), true)
	alice := matrixtest.UserID(t, hs.UserID("alice"))
	for _, claimed := range []matrix.UserID{{}, alice} {
		t.Run(fmt.Sprintf("claimed %q", claimed), func(t *testing.T) {
			got, err := v.Verify(t.Context(), tokenOf(t, hs.Homeserver, alice.String()), claimed, nobody)
			if err != nil || got != alice {
				t.Errorf("Verify = %v, %v, want %v", got, err, alice)
			}
		})
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

func wantNoToken(t *testing.T, err error, token matrix.OpenIDToken) {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "err", err, "token", token)
	all := fmt.Sprintf("%v %+v %#v %s", err, err, token, log.String())
	if strings.Contains(all, token.AccessToken.Reveal()) {
		t.Errorf("got %s, want the token not in it", all)
	}
}

// TestAServerThatSendsTheTokenBack checks servers that send the token back in
// different places of the answer. No error may show the token.
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
				t.Fatal("got no error, want one")
			}
			wantNoToken(t, err, token)
			if strings.Contains(err.Error(), token.AccessToken.Reveal()[:10]) {
				t.Errorf("got %v, want no part of the token in it", err)
			}
		})
	}
}

func TestHalfDeadConnectionCostsAShortRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.Serve("a.test:8448", hs)
		// Eight verifications at the same time leave eight idle connections.
		gate := make(chan struct{})
		hs.Script(func(rw http.ResponseWriter, _ *http.Request) {
			<-gate
			fmt.Fprint(rw, `{"sub":"@alice:a.test"}`)
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
					t.Errorf("verify: got %v, want no error", err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		// From now on, none of these connections gets an answer.
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
					t.Error("a server that does not answer: got no error, want one")
				}
			})
		}
		synctest.Wait()
		if got := len(most); got > 64 {
			t.Errorf("got %d requests at once at one stranger's server, want at most 64", got)
		}
		start := time.Now()
		for _, c := range []struct {
			hs   *matrixtest.Homeserver
			user string
		}{{quick, "@bob:quick.test"}, {own, "@alice:own.test"}} {
			if _, err := w.verify(t, c.hs, c.user); err != nil {
				t.Errorf("verify(%s): got %v, want no error", c.user, err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("others: got a wait of %v for the slow one, want none", took)
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
			t.Errorf("%q: got %v, want nobody of another server than %s", body, user, hs.Name())
		}
	})
}
