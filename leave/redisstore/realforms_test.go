//go:build redis

package redisstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/internal/first"
	"matrixrtc-auth/leave/redisstore/redistest"
)

// TestRealSecondForm tests a store that writes jobs in the second record format (the
// newer one).
func TestRealSecondForm(t *testing.T) {
	server := redistest.Start(t)
	leavetest.Run(t, func(t *testing.T) leavetest.Store {
		beginSecond(t, server, t.Name())
		return openPatient(t, server.URL())[0]
	})
}

func TestRealSecondFormOfCluster(t *testing.T) {
	server := redistest.StartCluster(t)
	url := server.URL() + "?cluster=true"
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		beginSecond(t, server, t.Name())
		both := openPatient(t, url, url)
		return both[0], both[1]
	})
}

// beginSecond makes replicas write jobs in the second record format (the newer one)
// from the beginning.
func beginSecond(t *testing.T, server *redistest.Server, prefix string) {
	t.Helper()
	server.Do(t, func(ctx context.Context, c *redis.Client) error {
		return c.ZAdd(ctx, prefix+"{leave}:due", redis.Z{Member: "0::"}).Err()
	})
}

// TestRealFormsChange changes the format of new records after every fifth script. So
// jobs move to the other format all the time. The store must still pass all tests.
func TestRealFormsChange(t *testing.T) {
	server := redistest.Start(t)
	c := redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	leavetest.Run(t, func(t *testing.T) leavetest.Store {
		beginSecond(t, server, t.Name())
		s := openPatient(t, server.URL())[0]
		var scripts atomic.Int64
		redisstore.BeforeScripts(s, func() {
			n, since := scripts.Add(1), "0"
			if n%10 == 0 {
				since = held
			}
			if n%5 != 0 {
				return
			}
			if err := c.Set(context.Background(), t.Name()+"{leave}:2:since", since, 0).Err(); err != nil {
				t.Errorf("Set: got %v, want no error", err)
			}
		})
		return s
	})
}

// setSince writes a time into a key of the test's store. Since that time, all running
// replicas have known the second record format (the newer one).
func setSince(t *testing.T, server *redistest.Server, since string) {
	t.Helper()
	server.Do(t, func(ctx context.Context, c *redis.Client) error {
		return c.Set(ctx, t.Name()+"{leave}:2:since", since, 0).Err()
	})
}

// TestRealMove changes the format of new records. Each claim must move some of the jobs
// into this format, until all jobs are in it. When the format changes back, the jobs
// must move back.
func TestRealMove(t *testing.T) {
	server := redistest.Start(t)
	beginSecond(t, server, t.Name())
	setSince(t, server, held)
	s := openPatient(t, server.URL())[0]
	const n = 1000
	var jobs []leave.Job
	for i := range n {
		job := delegation(t, fmt.Sprint("job", i), time.Now())
		job.NextLook, job.NextRestart = job.AcceptedAt.Add(time.Hour), job.AcceptedAt.Add(time.Hour)
		jobs = append(jobs, job)
	}
	merge(t, s, jobs...)
	for _, to := range []struct {
		since               string
		inFirst, inSecond   int64
		mostClaims, minimum int
	}{
		{"0", 0, n, 200, 5}, {held, n, 0, 200, 5}, {"0", 0, n, 200, 5},
	} {
		setSince(t, server, to.since)
		claims := 0
		for inFirst, inSecond := forms(t, server); inFirst != to.inFirst || inSecond != to.inSecond; inFirst, inSecond = forms(t, server) {
			if claims++; claims > to.mostClaims {
				t.Fatalf("after %d claims %d jobs are in the first format and %d in the second, want %d and %d", claims-1, inFirst, inSecond, to.inFirst, to.inSecond)
			}
			if jobs, err := s.Claim(t.Context(), "holder", time.Now(), 10); err != nil || len(jobs) > 0 {
				t.Fatalf("Claim: got %v, %v, want none, for none is due", jobs, err)
			}
		}
		if claims < to.minimum {
			t.Errorf("all moved with %d claims, want at least %d: no claim may take long", claims, to.minimum)
		}
		if counts, err := s.Count(t.Context(), jobs[0].User); err != nil || counts.All != n || counts.OfUser != n || counts.ByState[leave.Waiting] != n {
			t.Errorf("Count: got %+v, %v, want %d of all", counts, err, n)
		}
	}
}

// forms returns how many records of this test are in the first record format and how
// many are in the second.
func forms(t *testing.T, server *redistest.Server) (inFirst, inSecond int64) {
	t.Helper()
	server.Do(t, func(ctx context.Context, c *redis.Client) (err error) {
		if inFirst, err = c.HLen(ctx, t.Name()+"{leave}:jobs").Result(); err != nil {
			return err
		}
		inSecond, err = c.HLen(ctx, t.Name()+"{leave}:2:jobs").Result()
		return err
	})
	return inFirst, inSecond
}

// TestRealConformanceWithFirst tests two replicas on one server: one of this version,
// and one of version 0.2.0, which knows only the first record format (the older one).
func TestRealConformanceWithFirst(t *testing.T) {
	server := redistest.Start(t)
	for name, swapped := range map[string]bool{"first and second": false, "second and first": true} {
		t.Run(name, func(t *testing.T) {
			leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
				alone := first.New(server.Addr, t.Name())
				t.Cleanup(func() { alone.Close() })
				before, now := claimsAgain{alone}, openPatient(t, server.URL())[0]
				if swapped {
					return now, before
				}
				return before, now
			})
		})
	}
}

// claimsAgain is a store of version 0.2.0. If a claim returns too few jobs, claimsAgain
// claims again, as the keeper of version 0.2.0 does. A script of the present version
// adds an entry without a job to the sorted set of due jobs. Because of this entry, the
// next claim of the old store returns one job less.
type claimsAgain struct{ *first.Store }

func (s claimsAgain) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	jobs, err := s.Store.Claim(ctx, holder, now, n)
	if err != nil || len(jobs) == n {
		return jobs, err
	}
	more, err := s.Store.Claim(ctx, holder, now, n-len(jobs))
	return append(jobs, more...), err
}
