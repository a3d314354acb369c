// Package first is the Redis store of version 0.2.0, for tests of upgrades. It
// reads and writes jobs only in the first of the two forms that package redisstore
// knows. It is not part of the program, and its behaviour must not change.
package first

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/leave"
)

// Store is a [leave.Store] in Redis. New makes one.
type Store struct {
	client   *redis.Client
	keys     []string
	log      *slog.Logger
	clock    storeClock
	aside    aside
	life     life
	callTime time.Duration // the most time for one call
}

var _ leave.Store = (*Store)(nil)

// New returns the store on the server at addr. Its keys begin with prefix.
func New(addr, prefix string) *Store {
	s := &Store{
		client: redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: -1, WriteTimeout: -1}),
		keys:   keys(prefix), log: slog.New(slog.DiscardHandler), callTime: 30 * time.Second,
	}
	s.clock.ours = clock.New()
	return s
}

// SetClock makes c the clock by which the jobs' times are given.
func (s *Store) SetClock(c *clock.Clock) { s.clock.ours = c }

// keys returns the KEYS that every script gets, in the order of guard.lua. The last
// key belongs to this store alone.
func keys(prefix string) []string {
	var names []string
	for _, name := range []string{"epoch", "writes", "jobs", "due", "rooms", "index", "present", "counts", "clock", "accounts"} {
		names = append(names, prefix+"{leave}:"+name)
	}
	return append(names, prefix+"{leave}:wrote:"+rand.Text())
}

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
