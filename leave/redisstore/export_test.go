package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/sfu"
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

// Parts is in how many parts the due times of the second form are kept.
const Parts = shards

// Part is in which of them a room's are.
func Part(room sfu.Room) int { return shard(room) }

// BeforeScripts has f be called before each script that a store runs.
func BeforeScripts(s *Store, f func()) { s.client.AddHook(scriptHook(f)) }

type scriptHook func()

func (f scriptHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f scriptHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f scriptHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			f()
		}
		return next(ctx, cmd)
	}
}

// NeverSlow has changes wait for a script however long it takes.
func NeverSlow(s *Store) { s.gather.slow = time.Hour }

// Waiting is how many changes wait until the script before them has ended.
func Waiting(s *Store) int {
	s.gather.mu.Lock()
	defer s.gather.mu.Unlock()
	return len(s.gather.waiting)
}
