package redisstore

import (
	"context"
	"time"
)

// OpenPatiently is Open for tests that are about something else than time:
// the server that is written in Go, under the race detector and fifty callers,
// may take longer than a call may.
func OpenPatiently(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, 30*time.Second)
}

// Settled has s be one that has run for a while, which trusts its clock.
func Settled(s *Store) *Store {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.corrected = time.Time{}
	return s
}

// Connections is how many a store has to one server.
const Connections = connections
