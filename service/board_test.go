package service

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// TestBoardWithoutLeaves checks two replicas with the same Redis, while
// delegated leaves are off. They must share the state of package guard: which
// replica checks all participants, and whether the brake stops the removal of
// participants.
func TestBoardWithoutLeaves(t *testing.T) {
	own, err := matrix.ParseServerName("example.org")
	if err != nil {
		t.Fatal(err)
	}
	registered, server := &config.AppService{Server: own}, miniredis.RunT(t)
	redis := config.Store{Kind: config.StoreRedis, RedisURL: redisurl.Must("redis://" + server.Addr()), RedisPrefix: "test"}
	for _, tt := range []struct {
		name   string
		cfg    config.Config
		shared bool
	}{
		{"redis", config.Config{AppService: registered, Store: redis}, true},
		{"redis, with an account", config.Config{Account: &config.Account{Server: own}, Store: redis}, true},
		{"a file", config.Config{AppService: registered, Store: config.Store{Kind: config.StoreFile, Path: "/data/leaves.db"}}, false},
		{"nobody says who is joined", config.Config{Store: redis}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.FlushAll()
			var boards []board
			for range 2 {
				b, err := sharedOf(tt.cfg).openBoard(t.Context(), leaves{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(b.close)
				boards = append(boards, b)
			}
			first, err := boards[0].TakeSweep(t.Context(), "one", time.Minute)
			if !first || err != nil {
				t.Errorf("whether the first replica may sweep: got %v, %v, want true", first, err)
			}
			second, err := boards[1].TakeSweep(t.Context(), "two", time.Minute)
			if second == tt.shared || boards[1].shared != tt.shared || err != nil {
				t.Errorf("whether the second replica may sweep, too: got %v, %v; whether the board is shared: got %v, want %v", second, err, boards[1].shared, tt.shared)
			}
		})
	}
}

// TestBoardRefused checks that openBoard returns an error if Redis refuses the
// password.
func TestBoardRefused(t *testing.T) {
	own, err := matrix.ParseServerName("example.org")
	if err != nil {
		t.Fatal(err)
	}
	registered, server := &config.AppService{Server: own}, miniredis.RunT(t)
	server.RequireAuth("another")
	cfg := config.Config{AppService: registered, Store: config.Store{
		Kind: config.StoreRedis, RedisURL: redisurl.Must("redis://" + server.Addr()), RedisPassword: secret.New("wrong"), RedisPrefix: "test",
	}}
	if _, err := sharedOf(cfg).openBoard(t.Context(), leaves{}); err == nil {
		t.Error("openBoard on a Redis that refuses the password: got no error, want one")
	}
}

// sharedOf returns a value of the type shared, for a service with the
// configuration cfg.
func sharedOf(cfg config.Config) *shared {
	cfg.Keys = []sfu.Key{{ID: "key", Secret: secret.New("a-secret-of-the-tests-0123456789")}}
	return &shared{cfg: &cfg, credentials: newCredentials(&cfg), log: slog.New(slog.DiscardHandler)}
}

// TestBoardBesideAFile checks a service that keeps leaves in a file. If package
// guard has stopped removing participants (the brake is on), the brake must
// still be on after a restart of the service.
func TestBoardBesideAFile(t *testing.T) {
	cfg := config.Config{
		Keys:       []sfu.Key{{ID: "key", Secret: secret.New("a-secret-of-the-tests-0123456789")}},
		AppService: &config.AppService{}, Store: config.Store{Kind: config.StoreFile, Path: filepath.Join(t.TempDir(), "leaves.db")},
	}
	for _, want := range []bool{false, true} {
		s := &shared{cfg: &cfg, credentials: newCredentials(&cfg), log: slog.New(slog.DiscardHandler)}
		b, err := s.openBoard(t.Context(), leaves{kind: config.StoreFile})
		if err != nil {
			t.Fatal(err)
		}
		if on, err := b.Brake(t.Context()); on != want || err != nil {
			t.Errorf("after a restart the brake is on: %v, %v, want %v", on, err, want)
		}
		if err := b.SetBrake(t.Context(), true); err != nil {
			t.Errorf("SetBrake: got %v, want no error", err)
		}
	}
}
