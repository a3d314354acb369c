package redisstore

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// checkEviction warns if the server evicts keys when its memory is full, because
// that would delete all jobs at once. The service uses the server all the same.
// checkEviction does nothing if the server does not say whether it evicts keys.
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

// node returns a client of the server that holds our keys.
func (s *Store) node(ctx context.Context) (*redis.Client, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, s.keys[0])
	}
	return s.client.(*redis.Client), nil
}
