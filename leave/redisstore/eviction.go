package redisstore

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// checkEviction warns if the server removes keys when its memory is full, because that
// would remove all jobs. The service uses the server nevertheless. If the server does
// not say whether it removes keys, checkEviction does nothing.
func (s *Store) checkEviction(ctx context.Context) {
	node, err := s.node(ctx)
	if err != nil {
		return
	}
	info, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return
	}
	for line := range strings.Lines(info) {
		policy, found := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
		if found && policy != "noeviction" {
			s.log.Warn("redisstore: Redis may throw delegated leaves away when its memory is full; "+
				"set maxmemory-policy to noeviction, or use a Redis server for this service alone", "maxmemory-policy", policy)
		}
	}
}

// node returns a client for the one server that holds our keys.
func (s *Store) node(ctx context.Context) (*redis.Client, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, s.keys[0])
	}
	return s.client.(*redis.Client), nil
}
