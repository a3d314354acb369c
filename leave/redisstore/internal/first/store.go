// Package first is the Redis store of version 0.2.0, for tests of upgrades. It
// reads and writes jobs only in the first of the two record formats that package
// redisstore knows. It is not part of the program, and its behaviour must not
// change.
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
	callTime time.Duration // how long one call of the store may take
}

var _ leave.Store = (*Store)(nil)

// New returns a store on the Redis server at addr. Its keys in Redis begin with prefix.
func New(addr, prefix string) *Store {
	s := &Store{
		client: redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: -1, WriteTimeout: -1}),
		keys:   keys(prefix), log: slog.New(slog.DiscardHandler), callTime: 30 * time.Second,
	}
	s.clock.ours = clock.New()
	return s
}

// SetClock makes c the clock for the times of jobs.
func (s *Store) SetClock(c *clock.Clock) { s.clock.ours = c }

// keys returns the Redis keys that each script gets, in the order that guard.lua
// expects. The last key has a random name, so that no other store uses it.
func keys(prefix string) []string {
	var names []string
	for _, name := range []string{"epoch", "writes", "jobs", "due", "rooms", "index", "present", "counts", "clock", "accounts"} {
		names = append(names, prefix+"{leave}:"+name)
	}
	return append(names, prefix+"{leave}:wrote:"+rand.Text())
}

// Close closes the connections of the store.
func (s *Store) Close() error { return s.client.Close() }
