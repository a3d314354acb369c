// Package first is the store as version 0.2.0 had it, for tests of upgrades: it
// reads and writes the first form alone, and knows nothing of the second. It is no
// part of the program, and stays as it is.
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
	patience time.Duration // bounds a call
}

var _ leave.Store = (*Store)(nil)

// New returns the store on the server at an address, with keys that begin with
// prefix.
func New(addr, prefix string) *Store {
	s := &Store{
		client: redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: -1, WriteTimeout: -1}),
		keys:   keys(prefix), log: slog.New(slog.DiscardHandler), patience: 30 * time.Second,
	}
	s.clock.ours = clock.New()
	return s
}

// SetClock has the store's times be by c.
func (s *Store) SetClock(c *clock.Clock) { s.clock.ours = c }

// keys returns what every script gets as KEYS, in the order of guard.lua. The
// last is this store's own.
func keys(prefix string) []string {
	var names []string
	for _, name := range []string{"epoch", "writes", "jobs", "due", "rooms", "index", "present", "counts", "clock", "accounts"} {
		names = append(names, prefix+"{leave}:"+name)
	}
	return append(names, prefix+"{leave}:wrote:"+rand.Text())
}

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
