package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave"
)

// DefaultPrefix is how the keys in Redis begin if Options set no other prefix.
const DefaultPrefix = "matrixrtc-auth"

// Options say which server to use, and how to log in to it.
type Options struct {
	// URL is the URL of a Redis server, of a cluster, or of Sentinels.
	URL redisurl.URL
	// Username replaces the user name in the URL, unless Username is "". Password, if
	// set, is a function. The password that it returns replaces the password in the
	// URL, unless it returns "". The store calls Password for each new connection.
	Username string
	Password func() secret.Text
	// Prefix is how the keys in Redis begin. Services that share a server need different
	// prefixes. Prefix must not contain a brace. "" means DefaultPrefix.
	Prefix string
	// Roots, if set, returns the certificates to trust for rediss URLs. The store calls
	// Roots for each new connection. Nil means the certificates of the system.
	Roots func() *x509.CertPool
	Log   *slog.Logger
	// Clock gives the times in jobs. If it is nil, the store makes its own clock.
	Clock *clock.Clock
}

// Store is a [leave.Store] in Redis. Open makes one.
type Store struct {
	target target
	client redis.UniversalClient
	prefix string
	keys   []string
	log    *slog.Logger
	clock  storeClock
	aside  aside
	life   life
	form   formNow
	mover  mover
	gather gather
	// callTime is how long one call of the store may take. It is the constant of the
	// same name, except in some tests.
	callTime time.Duration
}

var _ leave.Store = (*Store)(nil)

// Open returns a store on the server in o. If the server does not answer, Open logs a
// warning and returns the store nevertheless, so that the service can start. Then calls
// fail until the server answers. Open returns an error if the URL is invalid, or if the
// server refuses this service, for example because of a wrong password. After an error,
// the service does not start.
func Open(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, callTime) }

func open(ctx context.Context, o Options, callTime time.Duration) (*Store, error) {
	s, err := newStore(o, callTime)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err = s.meet(ctx)
	if refusal, ok := errors.AsType[*refusal](err); ok {
		s.Close()
		return nil, refusal
	}
	if err != nil {
		s.log.Warn("redisstore: Redis does not answer; until it does, delegated leaves are kept in memory", "err", err)
	}
	return s, nil
}

func newStore(o Options, callTime time.Duration) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, errors.New("redisstore: the prefix of the keys contains { or }; leave these out, because a Redis cluster chooses a key's node by the text in braces")
	}
	if o.URL.IsZero() {
		return nil, errors.New("redisstore: no URL of a Redis server is given")
	}
	target := newTarget(o, callTime)
	s := &Store{target: target, client: target.client(), prefix: o.Prefix, keys: keys(o.Prefix), log: o.Log, callTime: callTime, gather: gather{slow: slowScript}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock.ours = o.Clock; s.clock.ours == nil {
		s.clock.ours = clock.New()
	}
	return s, nil
}

// keys returns the Redis keys that each script gets, in the order that guard.lua
// expects. Only this store uses the key whose name contains "wrote".
func keys(prefix string) []string {
	names := []string{
		"epoch", "writes", "jobs", "due", "rooms", "index", "present", "counts", "clock", "accounts", "wrote:" + rand.Text(),
		"2:jobs", "2:heads", "2:counts", "2:writes", "2:since",
	}
	for i, name := range names {
		names[i] = prefix + "{leave}:" + name
	}
	return names
}

// partKey returns the key of the sorted set with the n-th part of the jobs' due times.
func (s *Store) partKey(n int) string { return s.prefix + "{leave}:2:due:" + strconv.Itoa(n) }

// Close closes the connections of the store.
func (s *Store) Close() error { return s.client.Close() }
