package redisstore_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// delegation returns a job with a delay of an hour. The argument name is the job's
// room, identity and delay id.
func delegation(t testing.TB, name string, now time.Time) leave.Job {
	t.Helper()
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	id, err := matrix.ParseDelayID(name)
	if err != nil {
		t.Fatal(err)
	}
	return leave.New(leave.Key{Room: sfu.Room(name), Identity: sfu.Identity(name)}, user, id, time.Hour, now)
}

func put(t *testing.T, s *redisstore.Store, job leave.Job) {
	t.Helper()
	if _, err := s.Put(t.Context(), job); err != nil {
		t.Fatalf("Put: got %v, want no error", err)
	}
}

// get reads the job of a key, and checks that Get returns the error want.
func get(t *testing.T, s *redisstore.Store, key leave.Key, want error) leave.Job {
	t.Helper()
	job, err := s.Get(t.Context(), key)
	if !errors.Is(err, want) {
		t.Fatalf("Get: %v, want %v", err, want)
	}
	return job
}

func merge(t *testing.T, s *redisstore.Store, jobs ...leave.Job) {
	t.Helper()
	if err := s.Merge(t.Context(), jobs); err != nil {
		t.Fatalf("Merge: got %v, want no error", err)
	}
}

// wantForgotten checks that every method of the store returns ErrForgotten.
func wantForgotten(t *testing.T, s *redisstore.Store, job leave.Job) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	job.Version = 1
	for name, call := range map[string]func() error{
		"Put":        func() error { _, err := s.Put(ctx, job); return err },
		"Get":        func() error { _, err := s.Get(ctx, job.Key); return err },
		"Save":       func() error { _, err := s.Save(ctx, job); return err },
		"Delete":     func() error { return s.Delete(ctx, job) },
		"Claim":      func() error { _, err := s.Claim(ctx, "holder", now, 1); return err },
		"ClaimRooms": func() error { _, err := s.ClaimRooms(ctx, now, time.Minute, 1); return err },
		"Room":       func() error { _, err := s.Room(ctx, job.Room); return err },
		"Rooms":      func() error { _, err := s.Rooms(ctx); return err },
		"Count":      func() error { _, err := s.Count(ctx, job.User); return err },
	} {
		if err := call(); !errors.Is(err, leave.ErrForgotten) {
			t.Errorf("%s: %v, want ErrForgotten", name, err)
		}
	}
}

// eventually calls ask until it returns no error, for at most 5 s. A server needs a
// moment after a restart.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range 250 {
		if err = ask(); err == nil {
			return
		}
		<-tick.C
	}
	t.Fatalf("after 250 tries: got %v, want no error", err)
}

func options(server *miniredis.Miniredis, log *slog.Logger) redisstore.Options {
	return redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Log: log}
}

func flushScripts(t *testing.T, server *miniredis.Miniredis) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2, DisableIdentity: true})
	defer c.Close()
	if err := c.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

// always returns a function that always returns password.
func always(password secret.Text) func() secret.Text {
	return func() secret.Text { return password }
}
