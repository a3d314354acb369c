//go:build redis

package redisstore_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/redistest"
	"matrixrtc-auth/leave/standby"
)

// BenchmarkDelegate measures how many delegations a second the store accepts. For
// comparison, it also measures plain HSETs of the same size. It needs a redis-server.
// The target test-redis of the Makefile says how to get one.
func BenchmarkDelegate(b *testing.B) {
	for name, store := range map[string]func(leavetest.Store) leave.Store{
		"alone": func(s leavetest.Store) leave.Store { return s },
		"standby": func(s leavetest.Store) leave.Store {
			return standby.New(b.Context(), s, slog.New(slog.DiscardHandler), nil)
		},
	} {
		b.Run(name, func(b *testing.B) {
			server := redistest.Start(b)
			raw := rawRate(b, server)
			s, err := redisstore.Open(b.Context(), redisstore.Options{URL: redisurl.Must(server.URL())})
			if err != nil {
				b.Fatal(err)
			}
			used := store(s)
			defer used.Close()
			leavetest.Delegations(b, used, raw)
		})
	}
}

// rawRate measures how many HSETs per second the server does. It uses as many goroutines
// as the benchmark of delegations, and as many connections as the store.
func rawRate(b *testing.B, server *redistest.Server) float64 {
	b.Helper()
	const sets = 20_000
	value, err := json.Marshal(leavetest.Many(b, 1, time.Now()))
	if err != nil {
		b.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: redisstore.Connections, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	return leavetest.AtOnce(sets, func(i int) {
		if err := c.HSet(b.Context(), "raw", fmt.Sprint(i), value).Err(); err != nil {
			b.Errorf("HSet: got %v, want no error", err)
		}
	})
}
