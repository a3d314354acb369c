package service

import (
	"context"

	"matrixrtc-auth/config"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/membership/guard"
)

// board holds the state of package guard, which all replicas of this service
// share: which replica checks all participants, and whether the brake stops the
// removal of participants.
type board struct {
	guard.Board
	shared bool   // whether all replicas use the same board
	close  func() // closes the board's connection to Redis; called when the service ends
}

// openBoard returns the board, which holds the state of package guard.
//
//   - If the store of leaves has a board, openBoard returns this board.
//   - If delegated leaves are off but Redis is configured, the board is in Redis.
//   - Otherwise no other process uses the board. If the leaves are in a file, a
//     second file beside it stores whether the brake is on.
//
// openBoard takes some seconds at most.
func (s *shared) openBoard(ctx context.Context, kept leaves) (board, error) {
	local := board{&guard.Local{}, false, func() {}}
	switch {
	case s.cfg.AppService == nil && s.cfg.Account == nil:
		return local, nil
	case kept.board != nil:
		return board{kept.board, true, func() {}}, nil
	case kept.kind == config.StoreFile:
		return board{guard.OpenFile(s.cfg.Store.Path + ".brake"), false, func() {}}, nil
	case s.cfg.Store.Kind != config.StoreRedis:
		return local, nil
	}
	b, end, err := redisstore.OpenBoard(ctx, s.redis())
	if err != nil {
		return board{}, err
	}
	return board{b, true, func() { _ = end() }}, nil
}

// redis returns the options for a connection to the Redis that all replicas
// use.
func (s *shared) redis() redisstore.Options {
	where := s.cfg.Store
	return redisstore.Options{
		URL: where.RedisURL, Password: s.credentials.redisPassword, Prefix: where.RedisPrefix,
		Roots: s.credentials.roots, Log: s.log,
	}
}
