package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave/redisstore/internal/first"
)

const (
	// sinceKey holds the time since which all active replicas have known the second
	// form.
	sinceKey = "matrixrtc-auth{leave}:2:since"
	// recordsKey holds the records in the second form.
	recordsKey = "matrixrtc-auth{leave}:2:jobs"
	indexKey   = "matrixrtc-auth{leave}:index"
	headsKey   = "matrixrtc-auth{leave}:2:heads"
	// held is a time in the future. If sinceKey has this value, replicas write jobs
	// in the first form.
	held = "9999999999999"
)

// newSecond returns a server on which replicas write jobs in the second form from
// the beginning.
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

// openFirst opens the store of version 0.2.0, which knows only the first form.
func openFirst(t *testing.T, server *miniredis.Miniredis) *first.Store {
	t.Helper()
	s := first.New(server.Addr(), "matrixrtc-auth")
	t.Cleanup(func() { s.Close() })
	return s
}
