package matrix_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// noHomeserver holds handlers that are no homeserver. They answer a userinfo
// request in ways in which no homeserver would answer.
var noHomeserver = map[string]http.HandlerFunc{
	"a page":            func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome</html>") },
	"no such page":      func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
	"404 in JSON":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); fmt.Fprint(w, `{"error":"nope"}`) },
	"404 of a Matrix 1": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); fmt.Fprint(w, `{"errcode":404}`) },
	"another API": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		fmt.Fprint(w, `{"errcode":"M_UNRECOGNIZED"}`)
	},
	"other JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) },
	"forbidden":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusForbidden) },
	"a redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://www.web.test/", http.StatusMovedPermanently)
	},
	"a proxy's 502": func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>Bad Gateway</html>", http.StatusBadGateway)
	},
	"a proxy's 429": func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>slow down</html>", http.StatusTooManyRequests)
	},
	"a large page":    func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) },
	"an empty answer": func(w http.ResponseWriter, _ *http.Request) {},
	"no HTTP":         func(w http.ResponseWriter, _ *http.Request) { raw(w, "220 mail.web.test ESMTP\r\n") },
	"a broken answer": func(w http.ResponseWriter, _ *http.Request) { raw(w, "") },
}

// misled returns a world with a mistake: a.test delegates to the server
// web.test, where the handler website answers. The right homeserver for a.test
// is hs, at b.test:443.
func misled(t *testing.T, website http.HandlerFunc, named ...string) (w *world, apex, hs *matrixtest.Homeserver) {
	w = newWorld(t, named...)
	apex, hs = &matrixtest.Homeserver{}, &matrixtest.Homeserver{}
	apex.Delegate("web.test:443")
	w.Serve("a.test:443", apex)
	w.Serve("web.test:443", website)
	w.Serve("b.test:443", hs)
	return w, apex, hs
}

// TestACorrectedDelegationHoldsSoon checks a server that the operator named.
// The server delegates to a website by mistake, and then corrects the mistake.
// The service must repeat the discovery after 10 s, not earlier. Then a request
// must go to the new destination.
func TestACorrectedDelegationHoldsSoon(t *testing.T) {
	for name, website := range noHomeserver {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, apex, hs := misled(t, website, "a.test")
				for range 3 {
					if _, err := w.verify(t, hs, "@alice:a.test"); err == nil {
						t.Fatal("got no error from a website, want one")
					}
				}
				apex.Delegate("b.test:443")
				time.Sleep(9 * time.Second)
				if _, err := w.verify(t, hs, "@alice:a.test"); err == nil {
					t.Error("9 s after the mistake: got no error, want that the server is not looked up again yet")
				}
				if got := apex.Count(wellKnownPath); got != 1 {
					t.Errorf("the well-known was fetched %d times within 10 s, want 1", got)
				}
				time.Sleep(time.Second)
				if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
					t.Errorf("10 s after the mistake: got %v, want that the server is looked up again", err)
				}
				if got := apex.Count(wellKnownPath); got != 2 {
					t.Errorf("the well-known was fetched %d times, want 2", got)
				}
			})
		})
	}
}

// TestACorrectedSRVRecordHoldsSoon checks a server that the operator named. Its
// SRV record points to a website by mistake, and is then corrected. 10 s later,
// a request must succeed.
func TestACorrectedSRVRecordHoldsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, hs := misled(t, noHomeserver["a page"], "a.test")
		w.Serve("a.test:443", http.NotFoundHandler()) // a.test has no well-known document
		w.Serve("web.test:443", noHomeserver["a page"], "a.test")
		w.Serve("b.test:443", hs, "a.test")
		w.SetSRV("_matrix-fed._tcp.a.test", matrixtest.SRV{Target: "web.test", Port: 443})
		_, err := w.verify(t, hs, "@alice:a.test")
		wantCause(t, err, matrix.CauseNotJSON)
		w.SetSRV("_matrix-fed._tcp.a.test", matrixtest.SRV{Target: "b.test", Port: 443})
		time.Sleep(10 * time.Second)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Errorf("verify: got %v, want no error", err)
		}
	})
}

// TestADestinationThatNeverAnswersIsLookedUpAgain checks a server whose
// destination never answers. The operator named this server. When a request
// times out, it has no time left for a new discovery. But the next request must
// find the new destination.
func TestADestinationThatNeverAnswersIsLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, apex, hs := misled(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "a.test")
		_, err := w.verify(t, hs, "@alice:a.test")
		wantCause(t, err, matrix.CauseTimeout)
		synctest.Wait()
		apex.Delegate("b.test:443")
		time.Sleep(10 * time.Second)
		_, err = w.verify(t, hs, "@alice:a.test")
		wantCause(t, err, matrix.CauseTimeout)
		synctest.Wait()
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Errorf("verify: got %v, want no error", err)
		}
	})
}

// TestNoReasonToLookAgain checks errors after which the service must not repeat
// the discovery: an error that a homeserver sent, and any answer of a server
// that the operator did not name.
func TestNoReasonToLookAgain(t *testing.T) {
	matrixError := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		named  []string
	}{
		{"an unknown token", matrixError(401, `{"errcode":"M_UNKNOWN_TOKEN"}`), []string{"a.test"}},
		{"an unknown user", matrixError(404, `{"errcode":"M_NOT_FOUND"}`), []string{"a.test"}},
		{"a homeserver's limit", matrixError(429, `{"errcode":"M_LIMIT_EXCEEDED"}`), []string{"a.test"}},
		{"a homeserver's fault", matrixError(500, `{"errcode":"M_UNKNOWN"}`), []string{"a.test"}},
		{"an errcode of its own", matrixError(403, `{"errcode":"ORG.EXAMPLE_FORBIDDEN"}`), []string{"a.test"}},
		{"a foreign user", matrixError(200, `{"sub":"@alice:b.test"}`), []string{"a.test"}},
		{"a stranger's website", noHomeserver["no such page"], nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, apex, hs := misled(t, c.answer, c.named...)
				for range 3 {
					if _, err := w.verify(t, hs, "@alice:a.test"); err == nil {
						t.Fatalf("%s: got no error, want one", c.name)
					}
					time.Sleep(time.Minute)
				}
				if got := apex.Count(wellKnownPath); got != 1 {
					t.Errorf("the well-known was fetched %d times, want 1", got)
				}
			})
		})
	}
}

// TestTheSameDestinationIsNotAskedTwice checks a failed request after which a
// new discovery finds the same destination again. The service must not ask this
// destination a second time.
func TestTheSameDestinationIsNotAskedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		w, _, hs := misled(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(502)
		}, "a.test")
		for i := range 3 {
			_, err := w.verify(t, hs, "@alice:a.test")
			wantCause(t, err, matrix.CauseTrouble)
			if asked != i+1 {
				t.Errorf("got %d questions of %d requests, want one each", asked, i+1)
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestNobodyElseWaitsForASecondLook checks a client whose token is so long that
// the server's proxy answers with an error. Because of this error, the service
// repeats a slow discovery. No other client may have to wait for this
// discovery.
func TestNobodyElseWaitsForASecondLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, apex, hs := misled(t, nil, "a.test")
		apex.Delegate("b.test:443")
		w.Serve("b.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "bad") {
				http.Error(rw, "<html>Request-URI Too Long</html>", http.StatusRequestURITooLong)
				return
			}
			hs.ServeHTTP(rw, r)
		}))
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.Silence("a.test:443")
		go w.verifier.Verify(t.Context(), badToken(t, "a.test"), matrix.UserID{}, nobody)
		synctest.Wait()
		start := time.Now()
		for range 10 {
			if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
				t.Errorf("verify: got %v, want no error", err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("others: got a wait of %v, want none", took)
		}
		time.Sleep(time.Minute)
	})
}

// TestBrokenDNSKeepsTheLastLocation checks a new discovery while DNS is broken.
// It must keep the last good destination, and must not replace it by a guess.
func TestBrokenDNSKeepsTheLastLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix-fed._tcp.a.test", matrixtest.SRV{Target: "c.test", Port: 7000})
		w.Serve("c.test:7000", hs, "a.test")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		w.BreakSRV("_matrix-fed._tcp.a.test")
		time.Sleep(time.Minute)
		hs.Script(noHomeserver["a proxy's 502"])
		_, err := w.verify(t, hs, "@alice:a.test")
		wantCause(t, err, matrix.CauseTrouble)
		hs.Script(nil)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Errorf("after a proxy's 502: got %v, want the answer from where the server was", err)
		}
	})
}
