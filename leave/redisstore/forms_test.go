package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave/redisstore/internal/first"
)

const (
	// sinceKey says since when no replica wrote the first form alone.
	sinceKey = "matrixrtc-auth{leave}:2:since"
	// recordsKey has the records of the second form.
	recordsKey = "matrixrtc-auth{leave}:2:jobs"
	indexKey   = "matrixrtc-auth{leave}:index"
	headsKey   = "matrixrtc-auth{leave}:2:heads"
	// held, as since when, keeps the first form.
	held = "9999999999999"
)

// newSecond returns a server in which jobs are written in the second form from
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

// openFirst opens the store of a version that knows the first form alone.
func openFirst(t *testing.T, server *miniredis.Miniredis) *first.Store {
	t.Helper()
	s := first.New(server.Addr(), "matrixrtc-auth")
	t.Cleanup(func() { s.Close() })
	return s
}
