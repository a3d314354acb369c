//go:build redis

package standby_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/leave/redisstore/redistest"
	"matrixrtc-auth/leave/standby"
)

// All tests in this file need a redis-server. The target test-redis of the Makefile
// runs them. The Redis client alone would wait for 3 s or more. These tests check
// that a caller of the Store waits only about a second, even on a busy machine. Tests
// in virtual time check that it is exactly a second.

// servers runs test twice: with a single Redis server, and with a cluster.
func servers(t *testing.T, test func(t *testing.T, server *redistest.Server, url string)) {
	t.Run("single", func(t *testing.T) {
		server := redistest.Start(t)
		test(t, server, server.URL())
	})
	t.Run("cluster", func(t *testing.T) {
		server := redistest.StartCluster(t)
		test(t, server, server.URL()+"?cluster=true")
	})
}

func TestRealFrozen(t *testing.T) {
	servers(t, func(t *testing.T, server *redistest.Server, url string) {
		a, b := replica(t, url), replica(t, url)
		put(t, a, job(t, "on a"))
		put(t, b, job(t, "on b"))
		put(t, b, job(t, "ended"))

		server.Freeze(t)
		late := lag.Measure(t)
		for name, s := range map[string]*standby.Store{"on a": a, "on b": b} {
			begin := time.Now()
			get(t, s, job(t, name).Key)
			if took := time.Since(begin); took > 2*time.Second+late() {
				t.Errorf("the first call took %v, want about a second", took)
			}
		}
		names := []string{"on a", "on b"}
		// After the first call of each Store, no call may wait for Redis. If each of
		// these calls waited a second, all of them together would take minutes.
		begin := time.Now()
		for i := range 100 {
			names = append(names, fmt.Sprint("a", i), fmt.Sprint("b", i))
			put(t, a, job(t, fmt.Sprint("a", i)))
			put(t, b, job(t, fmt.Sprint("b", i)))
		}
		end(t, b, get(t, b, job(t, "ended").Key))
		write(t, a, get(t, a, job(t, "on a").Key), restarted)
		if took := time.Since(begin); took > 10*time.Second+late() {
			t.Errorf("all calls in the outage took %v, want at most %v", took, 10*time.Second+late())
		}
		restartedAt := get(t, a, job(t, "on a").Key).Restarted
		frozen := time.NewTimer(4 * time.Second)
		<-frozen.C
		wantDegraded(t, a, true)
		server.Thaw(t)
		waitFor(t, "the store answers", working(t, a, b))
		wantJobs(t, a, names...)
		wantJobs(t, b, names...)
		if got := get(t, b, job(t, "on a").Key).Restarted; !got.Equal(restartedAt) {
			t.Errorf("Restarted is %v, want %v", got, restartedAt)
		}
	})
}

func TestRealRestarts(t *testing.T) {
	server := redistest.Start(t)
	a, b := replica(t, server.URL()), replica(t, server.URL())
	put(t, a, job(t, "saved"))
	server.Do(t, func(ctx context.Context, c *redis.Client) error { return c.Save(ctx).Err() })
	put(t, a, job(t, "on a"))
	put(t, b, job(t, "on b"))
	server.Kill()
	put(t, b, job(t, "meanwhile"))
	server.Restart(t)
	waitFor(t, "the store answers", func() bool {
		n, err := a.Count(t.Context(), job(t, "a").User)
		return working(t, a, b)() && err == nil && n.All == 4
	})
	wantJobs(t, a, "saved", "on a", "on b", "meanwhile")
	wantJobs(t, b, "saved", "on a", "on b", "meanwhile")
}

func TestRealUnreachableAtStart(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	s := replica(t, server.URL())
	wantDegraded(t, s, true)
	put(t, s, job(t, "a"))
	server.Restart(t)
	waitFor(t, "the store answers", working(t, s))
	wantJobs(t, replica(t, server.URL()), "a")
}
