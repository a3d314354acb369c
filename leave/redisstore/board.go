package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Board is the state that the guards of several replicas share. A guard removes people
// from calls if they are not joined to the Matrix room. The board says which replica
// sweeps: this replica checks everybody on LiveKit. The board also says whether the
// brake holds. While the brake holds, guards remove nobody, so that they cannot remove
// too many people. Redis keeps the board in two keys that expire.
type Board struct{ store *Store }

// Board returns the board for the guards, which is in the same Redis as the store.
func (s *Store) Board() Board { return Board{s} }

// OpenBoard returns a board in the Redis at o.URL. It is for a service that does not
// store leaves in Redis. The function end closes the board's connections. If Redis does not
// answer, OpenBoard logs a warning. It returns an error if the URL is invalid, or if
// Redis refuses this service.
func OpenBoard(ctx context.Context, o Options) (board Board, end func() error, err error) {
	s, err := newStore(o, callTime)
	if err != nil {
		return Board{}, nil, err
	}
	_, err = s.Board().Brake(ctx)
	if refusal, ok := errors.AsType[*refusal](err); ok {
		s.Close()
		return Board{}, nil, refusal
	}
	if err != nil {
		s.log.Warn("redisstore: Redis does not answer; until it does, each replica checks by itself who is in the Matrix room", "err", err)
	}
	return s.Board(), s.Close, nil
}

// brakeTime is how long the brake stays on after a guard has last set it. A guard sets
// it again at every sweep.
const brakeTime = time.Hour

// takeSweep is a Lua script. It makes ARGV[1] the replica that sweeps (checks everybody
// on LiveKit) for ARGV[2] ms. It does nothing if another replica is sweeping.
const takeSweep = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// TakeSweep makes holder the replica that sweeps, unless another replica is sweeping.
// It reports whether holder is now that replica. holder stays that replica until d has
// passed since its last call of TakeSweep.
func (b Board) TakeSweep(ctx context.Context, holder string, d time.Duration) (bool, error) {
	n, err := b.do(ctx, "EVAL", takeSweep, 1, b.key("sweep"), holder, d.Milliseconds()).Int()
	return n == 1, b.failed(err)
}

// SetBrake engages the brake if on is true, and releases it if on is false. While the
// brake holds, the guards remove nobody.
func (b Board) SetBrake(ctx context.Context, on bool) error {
	if on {
		return b.failed(b.do(ctx, "SET", b.key("brake"), "on", "PX", brakeTime.Milliseconds()).Err())
	}
	return b.failed(b.do(ctx, "DEL", b.key("brake")).Err())
}

// Brake reports whether the brake is set. While it is set, the guards remove nobody.
func (b Board) Brake(ctx context.Context) (bool, error) {
	n, err := b.do(ctx, "EXISTS", b.key("brake")).Int()
	return n == 1, b.failed(err)
}

func (b Board) key(name string) string { return b.store.prefix + "{leave}:" + name }

func (b Board) do(ctx context.Context, args ...any) *redis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, b.store.callTime)
	defer cancel()
	cmd := redis.NewCmd(ctx, args...)
	b.store.process(ctx, cmd)
	return cmd
}

func (b Board) failed(err error) error {
	if err == nil {
		return nil
	}
	return b.store.failed(err)
}
