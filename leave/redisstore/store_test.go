package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/redisstore"
)

func TestConformance(t *testing.T) {
	leavetest.Run(t, func(t *testing.T) leavetest.Store {
		return open(t, "redis://"+miniredis.RunT(t).Addr())
	})
}

func TestConformanceOfTwo(t *testing.T) {
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		url := "redis://" + miniredis.RunT(t).Addr()
		return open(t, url), open(t, url)
	})
}

func TestConformanceOfTwoInCluster(t *testing.T) {
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		url := "redis://" + miniredis.RunT(t).Addr() + "?cluster=true"
		return open(t, url), open(t, url)
	})
}

// open opens a store for the time of the test.
func open(t *testing.T, url string) *redisstore.Store {
	t.Helper()
	return openWith(t, redisstore.Options{URL: redisurl.Must(url)})
}

func openWith(t *testing.T, o redisstore.Options) *redisstore.Store {
	t.Helper()
	s, err := redisstore.OpenPatiently(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: got %v, want no error", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
