package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/sfu"
)

// OpenPatiently is like Open, but each call of the store may take 30 s. With the race
// detector and fifty goroutines, the fake of Redis can take longer than a second.
// OpenPatiently is for tests that do not test time-outs.
func OpenPatiently(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, 30*time.Second)
}

// Settled makes s behave as if it had run for more than a minute, and returns s. In its
// first minute, a store believes other replicas that say that the clock of Redis was
// set. Later it does not.
func Settled(s *Store) *Store {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.corrected = time.Time{}
	return s
}

// Connections is how many connections a store opens to one server at most.
const Connections = connections

// Parts is the number of parts into which the store divides the due times of jobs in
// the second record format (the newer one).
const Parts = shards

// Part returns a number below [Parts]. It says in which part the store keeps the due
// times of the room's jobs.
func Part(room sfu.Room) int { return shard(room) }

// BeforeScripts makes s call f before it runs a script in Redis.
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

// NeverSlow makes changes wait for the running script, even if that script is slow.
func NeverSlow(s *Store) { s.gather.slow = time.Hour }

// Waiting returns how many changes are waiting until the running script ends.
func Waiting(s *Store) int {
	s.gather.mu.Lock()
	defer s.gather.mu.Unlock()
	return len(s.gather.waiting)
}

// GroupsByTimeLeft divides changes into groups. The store runs one script for each
// group. GroupsByTimeLeft returns the sizes of the groups. For each change, the
// argument left says how long its caller still waits.
func GroupsByTimeLeft(left ...time.Duration) (sizes []int) {
	var some []*gathered
	for _, d := range left {
		some = append(some, &gathered{until: time.Now().Add(d)})
	}
	for _, group := range byTimeLeft(some) {
		sizes = append(sizes, len(group))
	}
	return sizes
}
