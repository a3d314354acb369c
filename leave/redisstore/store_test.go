package redisstore_test

import (
	"testing"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave/redisstore"
)

// open opens a store. The store is closed when the test ends.
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
