package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave/redisstore/internal/first"
)

const (
	// sinceKey holds since when no replica has been at work that does not know the
	// second form.
	sinceKey = "matrixrtc-auth{leave}:2:since"
	// recordsKey holds the records of the second form.
	recordsKey = "matrixrtc-auth{leave}:2:jobs"
	indexKey   = "matrixrtc-auth{leave}:index"
	headsKey   = "matrixrtc-auth{leave}:2:heads"
	// held is a time in the future. As the value of sinceKey it makes the replicas
	// write the first form.
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

// openFirst opens the store of a version that knows only the first form.
func openFirst(t *testing.T, server *miniredis.Miniredis) *first.Store {
	t.Helper()
	s := first.New(server.Addr(), "matrixrtc-auth")
	t.Cleanup(func() { s.Close() })
	return s
}
