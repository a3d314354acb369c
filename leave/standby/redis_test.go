package standby_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/standby"
)

// replica opens a Store in front of the Redis at url, as each replica of the service
// does.
func replica(t *testing.T, url string) *standby.Store {
	t.Helper()
	behind, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must(url)})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, behind)
}

// waitFor waits in real time until done reports true, for at most 15 s.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1500 {
		if done() {
			return
		}
		<-tick.C
	}
	t.Fatalf("after 15 s: want that %s, got that it does not happen", what)
}

// working returns a function. The function reports whether the store answers and all
// replicas have noticed this. To find out, it makes the same calls as a keeper.
func working(t *testing.T, replicas ...*standby.Store) func() bool {
	return func() bool {
		ok := true
		for _, s := range replicas {
			if _, err := s.Claim(t.Context(), "holder", time.Now(), 0); err != nil {
				t.Errorf("Claim: got %v, want no error", err)
			}
			if _, err := s.Count(t.Context(), job(t, "a").User); err != nil {
				t.Errorf("Count: got %v, want no error", err)
			}
			ok = ok && !s.Status().Degraded
		}
		return ok
	}
}

func wantJobs(t *testing.T, s leave.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := s.Get(t.Context(), job(t, name).Key); err != nil {
			t.Errorf("Get of %s: got %v, want no error", name, err)
		}
	}
	wantCount(t, s, len(names))
}

func wantCount(t *testing.T, s leave.Store, want int) {
	t.Helper()
	if n, err := s.Count(t.Context(), job(t, "a").User); n.All != want || err != nil {
		t.Errorf("Count: got %d jobs (%v), want %d", n.All, err, want)
	}
}

func TestRedisComesAndGoes(t *testing.T) {
	server := miniredis.RunT(t)
	url := "redis://" + server.Addr()
	a, b := replica(t, url), replica(t, url)
	put(t, a, job(t, "on a"))
	put(t, b, job(t, "on b"))
	put(t, b, job(t, "ended"))

	server.Close()
	end(t, b, get(t, b, job(t, "ended").Key))
	put(t, a, job(t, "meanwhile on a"))
	put(t, b, job(t, "meanwhile on b"))
	wantDegraded(t, a, true)
	wantDegraded(t, b, true)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the store answers", working(t, a, b))
	wantJobs(t, a, "on a", "on b", "meanwhile on a", "meanwhile on b")

	server.FlushAll()
	waitFor(t, "the jobs are back", func() bool {
		n, err := a.Count(t.Context(), job(t, "a").User)
		return working(t, a, b)() && err == nil && n.All == 4
	})
	wantJobs(t, b, "on a", "on b", "meanwhile on a", "meanwhile on b")

	server.SetError("OOM command not allowed when used memory > 'maxmemory'.")
	put(t, a, job(t, "without memory"))
	wantDegraded(t, a, true)
	server.SetError("")
	waitFor(t, "the store answers", working(t, a, b))
	wantJobs(t, b, "on a", "on b", "meanwhile on a", "meanwhile on b", "without memory")
}
