//go:build redis

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/redistest"
)

// All tests in this file need a redis-server. The target test-redis of the Makefile
// runs them.

func TestRealConformance(t *testing.T) {
	server := redistest.Start(t)
	leavetest.Run(t, func(t *testing.T) leavetest.Store { return openPatient(t, server.URL(), server.URL())[0] })
}

func TestRealConformanceOfTwo(t *testing.T) {
	server := redistest.Start(t)
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		both := openPatient(t, server.URL()+"/3", "unix://"+server.Socket+"?db=3")
		return both[0], both[1]
	})
}

func TestRealConformanceOfCluster(t *testing.T) {
	server := redistest.StartCluster(t)
	url := server.URL() + "?cluster=true&addr=" + server.Addr
	leavetest.Run(t, func(t *testing.T) leavetest.Store { return openPatient(t, url)[0] })
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		both := openPatient(t, url, url)
		return both[0], both[1]
	})
}

// openReal opens a store for each of urls, with the same time limits as in the program.
// The stores share keys, which no other test uses.
func openReal(t *testing.T, urls ...string) []*redisstore.Store {
	t.Helper()
	return openAll(t, redisstore.Open, urls)
}

// openPatient is like openReal, but each call of the stores may take 30 s. On a busy
// machine, calls of fifty goroutines can take longer than a second. openPatient is for
// tests that do not test time-outs.
func openPatient(t *testing.T, urls ...string) []*redisstore.Store {
	t.Helper()
	return openAll(t, redisstore.OpenPatiently, urls)
}

func openAll(t *testing.T, open func(context.Context, redisstore.Options) (*redisstore.Store, error), urls []string) []*redisstore.Store {
	t.Helper()
	var stores []*redisstore.Store
	for _, url := range urls {
		s, err := open(t.Context(), redisstore.Options{URL: redisurl.Must(url), Prefix: t.Name()})
		if err != nil {
			t.Fatalf("Open: got %v, want no error", err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	return stores
}

// servers runs test twice: with a single Redis server, and with a cluster of one node.
func servers(t *testing.T, test func(t *testing.T, server *redistest.Server, url string), args ...string) {
	t.Run("single", func(t *testing.T) {
		server := redistest.Start(t, args...)
		test(t, server, server.URL())
	})
	t.Run("cluster", func(t *testing.T) {
		server := redistest.StartCluster(t, args...)
		test(t, server, server.URL()+"?cluster=true")
	})
}

func TestFrozen(t *testing.T) {
	servers(t, func(t *testing.T, server *redistest.Server, url string) {
		s := openReal(t, url)[0]
		before := delegation(t, "before", time.Now())
		put(t, s, before)

		server.Freeze(t)
		late, begin := lag.Measure(t), time.Now()
		_, err := s.Put(t.Context(), delegation(t, "meanwhile", time.Now()))
		took := time.Since(begin)
		if !errors.Is(err, context.DeadlineExceeded) || took < 900*time.Millisecond || took > 2*time.Second+late() {
			t.Errorf("Put to a frozen server: %v after %v, want the deadline after a second", err, took)
		}
		if _, err := s.Save(t.Context(), get(t, s, before.Key, context.DeadlineExceeded)); err == nil {
			t.Error("Save to a frozen server: got no error, want one")
		}
		server.Thaw(t)

		// Redis now runs the commands that it got while it was frozen. None of them may
		// change a job.
		eventually(t, func() error { _, err := s.Count(t.Context(), before.User); return err })
		if n, err := s.Count(t.Context(), before.User); n.All != 1 || err != nil {
			t.Errorf("Count after the thaw: got %d jobs, %v, want the 1 from before", n.All, err)
		}
		put(t, s, delegation(t, "after", time.Now()))
	})
}

func TestFrozenWithFullPool(t *testing.T) {
	server := redistest.Start(t)
	s := openReal(t, server.URL())[0]
	put(t, s, delegation(t, "before", time.Now()))
	server.Freeze(t)
	const callers = 200 // many more than the connections of a store
	late, took := lag.Measure(t), make(chan time.Duration)
	for i := range callers {
		go func() {
			begin := time.Now()
			s.Put(context.Background(), delegation(t, fmt.Sprint("meanwhile", i), begin))
			took <- time.Since(begin)
		}()
	}
	for range callers {
		if d := <-took; d > 2*time.Second+late() {
			t.Errorf("a Put to a frozen server took %v, want about a second", d)
		}
	}
	server.Thaw(t)
	eventually(t, func() error { _, err := s.Rooms(t.Context()); return err })
	if n, err := s.Count(t.Context(), delegation(t, "x", time.Now()).User); n.All != 1 || err != nil {
		t.Errorf("Count after the thaw = %d, %v, want 1", n.All, err)
	}
}

func TestRestartedEmpty(t *testing.T) {
	server := redistest.Start(t)
	stores := openReal(t, server.URL(), server.URL())
	a, b := stores[0], stores[1]
	onA, onB := delegation(t, "a", time.Now()), delegation(t, "b", time.Now())
	put(t, a, onA)
	put(t, b, onB)
	server.Kill()
	if _, err := a.Get(t.Context(), onA.Key); err == nil {
		t.Error("Get from a killed server: got no error, want one")
	}
	server.Restart(t)
	for _, s := range stores {
		wantForgotten(t, s, onA)
	}
	merge(t, a, onA)
	wantForgotten(t, b, onA)
	merge(t, b, onB)
	for _, s := range stores {
		get(t, s, onA.Key, nil)
		get(t, s, onB.Key, nil)
	}
}

func TestRestartedWithOldFile(t *testing.T) {
	// This test does not run with a Redis cluster, because a cluster of one node refuses
	// commands for some seconds after it has loaded a file.
	server := redistest.Start(t)
	s := openReal(t, server.URL())[0]
	kept, lost := delegation(t, "kept", time.Now()), delegation(t, "lost", time.Now())
	put(t, s, kept)
	server.Do(t, func(ctx context.Context, c *redis.Client) error { return c.Save(ctx).Err() })
	put(t, s, lost)
	server.Kill()
	server.Restart(t)
	wantForgotten(t, s, kept)
	merge(t, s, kept, lost)
	get(t, s, kept.Key, nil)
	get(t, s, lost.Key, nil)
}

// TestLossThatOthersHide has two replicas on one Redis server. The server restarts from
// an old file, so it has lost a job. Then the second replica makes so many writes that
// the count of writes is higher than before the restart. The first replica must still
// notice that a job was lost.
func TestLossThatOthersHide(t *testing.T) {
	server := redistest.Start(t)
	stores := openReal(t, server.URL(), server.URL())
	a, b := stores[0], stores[1]
	kept, lost := delegation(t, "kept", time.Now()), delegation(t, "lost", time.Now())
	put(t, a, kept)
	get(t, b, kept.Key, nil)
	server.Do(t, func(ctx context.Context, c *redis.Client) error { return c.Save(ctx).Err() })
	put(t, a, lost)
	server.Kill()
	server.Restart(t)
	eventually(t, func() error { _, err := b.Get(t.Context(), kept.Key); return err })
	for i := range 10 {
		put(t, b, delegation(t, fmt.Sprint("later", i), time.Now()))
	}
	wantForgotten(t, a, lost)
	merge(t, a, kept, lost)
	get(t, a, lost.Key, nil)
	wantForgotten(t, b, kept)
	merge(t, b, kept)
	get(t, b, lost.Key, nil)
}

func TestRefused(t *testing.T) {
	const password = "hunter2-hunter2"
	server := redistest.Start(t, "--requirepass", password)
	for name, o := range map[string]redisstore.Options{
		"no password":       {URL: redisurl.Must(server.URL())},
		"wrong password":    {URL: redisurl.Must(server.URL()), Password: always(secret.New(password + "x"))},
		"wrong one in URL":  {URL: redisurl.Must("redis://:" + password + "y@" + server.Addr)},
		"missing user":      {URL: redisurl.Must(server.URL()), Username: "nobody", Password: always(secret.New(password))},
		"missing database":  {URL: redisurl.Must(server.URL() + "/99"), Password: always(secret.New(password))},
		"not a cluster":     {URL: redisurl.Must(server.URL() + "?cluster=true"), Password: always(secret.New(password))},
		"wins over the URL": {URL: redisurl.Must("redis://:" + password + "@" + server.Addr), Password: always(secret.New("wrong"))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redisstore.Open(t.Context(), o)
			if err == nil {
				t.Errorf("Open, %s: got no error, want one", name)
				return
			}
			t.Logf("%s: %v", name, err)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: got %q, want no password in it", name, err)
			}
		})
	}
	openWith(t, redisstore.Options{URL: redisurl.Must(server.URL()), Username: "default", Password: always(secret.New(password))})
	openWith(t, redisstore.Options{URL: redisurl.Must("redis://:" + password + "@" + server.Addr)})
}

func TestClusterWithoutSayingSo(t *testing.T) {
	server := redistest.StartCluster(t)
	if _, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must(server.URL() + "/1")}); err == nil {
		t.Error("Open with a database that a cluster does not have: got no error, want one")
	}
}

func TestEvictionPolicy(t *testing.T) {
	servers(t, func(t *testing.T, server *redistest.Server, url string) {
		for policy, warned := range map[string]bool{"noeviction": false, "allkeys-lru": true} {
			server.Do(t, func(ctx context.Context, c *redis.Client) error {
				return c.ConfigSet(ctx, "maxmemory-policy", policy).Err()
			})
			var log logtest.Log
			openWith(t, redisstore.Options{URL: redisurl.Must(url), Log: log.Logger()})
			if got := log.Has("noeviction"); got != warned {
				t.Errorf("the policy %s: got a warning: %v, want one: %v; log: %s", policy, got, warned, &log)
			}
		}
	})
}

// TestLeastRights has a user of Redis with only the rights that the manual for
// operators names. The store must work with this user.
func TestLeastRights(t *testing.T) {
	server := redistest.Start(t)
	server.Do(t, func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, "acl", "setuser", "leave", "on", ">pw", "~"+t.Name()+"{leave}:*",
			"-@all", "+@connection", "+eval", "+evalsha", "+time", "+info", "+@string", "+@hash", "+@sortedset").Err()
	})
	s := openWith(t, redisstore.Options{URL: redisurl.Must(server.URL()), Username: "leave", Password: always(secret.New("pw")), Prefix: t.Name()})
	put(t, s, delegation(t, "a", time.Now()))
	_, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must(server.URL()), Username: "leave", Password: always(secret.New("pw")), Prefix: "other"})
	if err == nil {
		t.Error("Open with keys that the user has no right to: got no error, want one")
	}
	t.Log(err)
}
