//go:build redis

package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/redistest"
)

func TestRealConformanceBehindSentinels(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Passwords{})
	leavetest.Run(t, func(t *testing.T) leavetest.Store { return openPatient(t, w.URL())[0] })
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		both := openPatient(t, w.URL(), w.URL())
		return both[0], both[1]
	})
}

// TestPromoted ends or freezes the primary and one Sentinel. Frozen servers keep their
// connections. The other Sentinels promote the replica, and the store must go on with
// the replica.
func TestPromoted(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s *redistest.Server){
		"killed": func(_ *testing.T, s *redistest.Server) { s.Kill() },
		"frozen": func(t *testing.T, s *redistest.Server) { s.Freeze(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := redistest.StartWatched(t, redistest.Passwords{})
			s := openReal(t, w.URL())[0]
			before := delegation(t, "before", time.Now())
			put(t, s, before)
			connectMany(t, s)
			lose(t, w.Primary)
			lose(t, w.Sentinels[0])
			w.AwaitPromoted(t)
			began := time.Now()
			eventually(t, func() error { _, err := s.Get(t.Context(), before.Key); return err })
			put(t, s, delegation(t, "after", time.Now()))
			t.Logf("the store went on %v after the promotion", time.Since(began))
		})
	}
}

// connectMany makes the store open as many connections as it may have.
func connectMany(t *testing.T, s *redisstore.Store) {
	t.Helper()
	errs := make(chan error)
	const callers = 64
	for range callers {
		go func() {
			var err error
			for range 20 {
				if _, e := s.Rooms(t.Context()); e != nil {
					err = e
				}
			}
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// TestSentinelFrozen freezes one Sentinel, and then another. When the store makes a new
// connection, it must not wait for a Sentinel that does not answer.
func TestSentinelFrozen(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Passwords{})
	for _, frozen := range w.Sentinels[:2] {
		frozen.Freeze(t)
		s := openReal(t, w.URL())[0]
		put(t, s, delegation(t, frozen.Addr, time.Now()))
	}
}

func TestSentinelPasswords(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Passwords{Redis: "hunter2-redis", Sentinels: "hunter2-sentinels"})
	url, password := w.URL(), always(secret.New("hunter2-redis"))
	openWith(t, redisstore.Options{URL: redisurl.Must(url), Password: password})
	openWith(t, redisstore.Options{URL: redisurl.Must(url + "&password=hunter2-redis")})
	for name, test := range map[string]struct {
		url      string
		password func() secret.Text
		remedy   string
	}{
		"no password of Sentinels": {strings.Replace(url, ":hunter2-sentinels@", "", 1), password, "write the Sentinels' password into LIVEKIT_REDIS_URL"},
		"a wrong one":              {strings.Replace(url, "hunter2-sentinels", "hunter2-redis", 1), password, "they are the Sentinels'"},
		"no password of Redis":     {url, nil, "set LIVEKIT_REDIS_PASSWORD"},
		"a wrong one of Redis":     {url, always(secret.New("hunter2-sentinels")), "check LIVEKIT_REDIS_PASSWORD"},
		"another name":             {strings.Replace(url, "mymaster", "other", 1), password, "check master_name in LIVEKIT_REDIS_URL"},
		"Redis' own address": {
			"redis://:hunter2-redis@" + w.Primary.Addr + "?master_name=mymaster", password, "write the addresses of Sentinels into LIVEKIT_REDIS_URL",
		},
		"Sentinels' address without saying so": {"redis://:hunter2-sentinels@" + w.Sentinels[0].Addr, nil, "add ?master_name="},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must(test.url), Password: test.password})
			if err == nil || !strings.Contains(err.Error(), test.remedy) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v, want a refusal that says %q and no password", name, err, test.remedy)
			}
		})
	}
}
