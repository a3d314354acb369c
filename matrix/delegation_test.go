package matrix_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// delegation adds two servers to w. The server apex, at a.test, has a
// well-known document that delegates a.test to b.test:443. At b.test:443 listens
// the homeserver hs.
func delegation(t *testing.T, w *world, cacheControl string) (apex, hs *matrixtest.Homeserver) {
	apex, hs = &matrixtest.Homeserver{}, &matrixtest.Homeserver{}
	apex.ScriptWellKnown(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", cacheControl)
		fmt.Fprint(rw, `{"m.server":"b.test:443"}`)
	})
	w.Serve("a.test:443", apex)
	w.Serve("b.test:443", hs)
	return apex, hs
}

const wellKnownPath = "/.well-known/matrix/server"

func TestWellKnownIsCachedAsItSays(t *testing.T) {
	for _, c := range []struct {
		cacheControl string
		holds        time.Duration
	}{
		{"", 24 * time.Hour},
		{"max-age=600", 10 * time.Minute},
		{"max-age=1", 5 * time.Minute},
		{"no-store", 5 * time.Minute},
		{"public, max-age=31536000", 48 * time.Hour},
	} {
		t.Run(c.cacheControl, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex, hs := delegation(t, w, c.cacheControl)
				for _, wait := range []time.Duration{0, c.holds - time.Minute, 2 * time.Minute} {
					time.Sleep(wait)
					if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
						t.Fatal(err)
					}
				}
				if got := apex.Count(wellKnownPath); got != 2 {
					t.Errorf("asked %d times, want 2: once at first, once after %v", got, c.holds)
				}
			})
		})
	}
}

func TestFailedRefreshKeepsTheLastGoodAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		apex, hs := delegation(t, w, "max-age=3600")
		ok := func() error { _, err := w.verify(t, hs, "@alice:a.test"); return err }
		if err := ok(); err != nil {
			t.Fatal(err)
		}
		apex.ScriptWellKnown(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) })
		time.Sleep(47 * time.Hour)
		if err := ok(); err != nil {
			t.Fatalf("47 h after the last good answer: got %v, want that it holds", err)
		}
		before := apex.Count(wellKnownPath)
		time.Sleep(11 * time.Second)
		err := ok()
		synctest.Wait() // the refresh runs in the background
		if err != nil || apex.Count(wellKnownPath) != before+1 {
			t.Fatalf("11 s later: got %d more questions, %v, want one of a named server", apex.Count(wellKnownPath)-before, err)
		}
		time.Sleep(2 * time.Hour)
		if err := ok(); err == nil {
			t.Fatal("49 h after the last good answer: got no error, want that it does not hold")
		}
	})
}

func TestOnlyADefiniteAnswerEndsADelegation(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"404":          func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(404) },
		"invalid body": func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "<html>") },
		"too large":    func(rw http.ResponseWriter, _ *http.Request) { rw.Write(make([]byte, 60<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex, hs := delegation(t, w, "max-age=3600")
				if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
					t.Fatal(err)
				}
				moved := &matrixtest.Homeserver{}
				w.Serve("a.test:8448", moved)
				apex.ScriptWellKnown(answer)
				time.Sleep(2 * time.Hour)
				if _, err := w.verify(t, moved, "@alice:a.test"); err != nil {
					t.Fatal(err)
				}
				// The answer that there is no document is definite. The first
				// such answer is valid for 5 min.
				before := apex.Count(wellKnownPath)
				time.Sleep(4 * time.Minute)
				w.verify(t, moved, "@alice:a.test")
				if got := apex.Count(wellKnownPath); got != before {
					t.Errorf("asked %d times within 4 min, want 0", got-before)
				}
				time.Sleep(2 * time.Minute)
				w.verify(t, moved, "@alice:a.test")
				if got := apex.Count(wellKnownPath); got != before+1 {
					t.Errorf("asked %d times after 6 min, want 1", got-before)
				}
			})
		})
	}
}

func TestFallbackOfAnUnreachableWellKnownIsBrief(t *testing.T) {
	for _, c := range []struct {
		named []string
		retry time.Duration
	}{{[]string{"a.test"}, 10 * time.Second}, {nil, 2 * time.Minute}} {
		t.Run(c.retry.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.named...)
				hs := &matrixtest.Homeserver{}
				w.Serve("a.test:8448", hs) // no server listens on port 443
				count := func() (n int) {
					if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
						t.Fatal(err)
					}
					for _, d := range w.Dials() {
						if d == "a.test:443" {
							n++
						}
					}
					return n
				}
				if got := count(); got != 1 {
					t.Fatalf("asked %d times, want 1", got)
				}
				time.Sleep(c.retry - time.Second)
				if got := count(); got != 1 {
					t.Errorf("asked %d times before %v, want 1", got, c.retry)
				}
				time.Sleep(2 * time.Second)
				if got := count(); got != 2 {
					t.Errorf("asked %d times after %v, want 2", got, c.retry)
				}
			})
		})
	}
}

func TestWellKnownRedirects(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, to, http.StatusFound) }
	}
	for _, c := range []struct {
		name, to string
		cause    matrix.Cause // the cause of the error; "" if the service follows the redirect
	}{
		{"https elsewhere", "https://www.a.test/server.json", ""},
		{"to http", "http://www.a.test/server.json", matrix.CauseConnect},
		{"in circles", "https://a.test/.well-known/matrix/server", matrix.CauseConnect},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex, hs := delegation(t, w, "")
				apex.ScriptWellKnown(redirect(c.to))
				www := http.NewServeMux()
				www.HandleFunc("/server.json", func(rw http.ResponseWriter, _ *http.Request) {
					fmt.Fprint(rw, `{"m.server":"b.test:443"}`)
				})
				w.Serve("www.a.test:443", www)
				_, err := w.verify(t, hs, "@alice:a.test")
				if c.cause == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wantCause(t, err, c.cause)
				if got := apex.Count(wellKnownPath); got > 6 {
					t.Errorf("got %d requests for the document, want at most 6", got)
				}
				if slices.Contains(w.Dials(), "www.a.test:80") {
					t.Errorf("dialled: got %q, want no port but 443", w.Dials())
				}
			})
		})
	}
}

// TestNobodyWaitsForARefreshThatFails checks a server whose well-known document
// expires while the server does not answer. The service must go on with the
// last good document. Only the first request may wait for the server. Later
// requests must not wait.
func TestNobodyWaitsForARefreshThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		_, hs := delegation(t, w, "max-age=600")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		w.Silence("a.test:443")
		time.Sleep(11 * time.Minute)
		start := time.Now()
		for range 20 {
			if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		if waited := time.Since(start) - 100*time.Second; waited > 5*time.Second {
			t.Errorf("20 requests: got a wait of %v in all, want at most 5 s", waited)
		}
	})
}
