package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave/redisstore/internal/first"
)

const (
	// sinceKey holds the time since which all replicas at work have known the second
	// record format (the newer one).
	sinceKey = "matrixrtc-auth{leave}:2:since"
	// recordsKey holds the records in the second record format (the newer one).
	recordsKey = "matrixrtc-auth{leave}:2:jobs"
	indexKey   = "matrixrtc-auth{leave}:index"
	headsKey   = "matrixrtc-auth{leave}:2:heads"
	// held is a time in the far future. If sinceKey has this value, replicas write jobs
	// in the first record format (the older one).
	held = "9999999999999"
)

// newSecond returns a fake of Redis. From the beginning, replicas write their jobs to
// it in the second record format (the newer one).
func newSecond(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if _, err := server.ZAdd(dueKey, 0, "0::"); err != nil {
		t.Fatal(err)
	}
	return server
}

// openFirst opens the store of version 0.2.0, which knows only the first record format
// (the older one).
func openFirst(t *testing.T, server *miniredis.Miniredis) *first.Store {
	t.Helper()
	s := first.New(server.Addr(), "matrixrtc-auth")
	t.Cleanup(func() { s.Close() })
	return s
}
