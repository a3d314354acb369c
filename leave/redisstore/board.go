package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Board is what the replicas that enforce membership have in common, in two keys
// beside those of the leaves: who sweeps, and whether the brake holds. Both
// expire by themselves.
type Board struct{ store *Store }

// Board returns the store's.
func (s *Store) Board() Board { return Board{s} }

// OpenBoard returns a board on the server that o names, for a service that keeps
// no leaves there, and what closes its connections. A server that does not answer
// is no error but a warning; a URL that is none, and a server that refuses us, are
// errors.
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
		s.log.Warn("redisstore: Redis does not answer; until it does, each replica looks by itself at who is not in the Matrix room", "err", err)
	}
	return s.Board(), s.Close, nil
}

// brakeTime is how long the brake holds that nobody has set again: every sweep
// does.
const brakeTime = time.Hour

// takeSweep lends the sweep to ARGV[1] for ARGV[2] ms, if nobody else has it.
const takeSweep = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// TakeSweep reports whether holder is the one that sweeps, until d has passed
// since its last call.
func (b Board) TakeSweep(ctx context.Context, holder string, d time.Duration) (bool, error) {
	n, err := b.do(ctx, "EVAL", takeSweep, 1, b.key("sweep"), holder, d.Milliseconds()).Int()
	return n == 1, b.failed(err)
}

// SetBrake says whether the brake holds.
func (b Board) SetBrake(ctx context.Context, on bool) error {
	if on {
		return b.failed(b.do(ctx, "SET", b.key("brake"), "on", "PX", brakeTime.Milliseconds()).Err())
	}
	return b.failed(b.do(ctx, "DEL", b.key("brake")).Err())
}

// Brake reports whether the brake holds.
func (b Board) Brake(ctx context.Context) (bool, error) {
	n, err := b.do(ctx, "EXISTS", b.key("brake")).Int()
	return n == 1, b.failed(err)
}

func (b Board) key(name string) string { return b.store.prefix + "{leave}:" + name }

func (b Board) do(ctx context.Context, args ...any) *redis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, b.store.patience)
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
