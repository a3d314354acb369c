package service

import (
	"context"

	"matrixrtc-auth/config"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/membership/guard"
)

// board holds the state of the guard (who sweeps, and the brake) that the
// replicas of this service share.
type board struct {
	guard.Board
	shared bool   // whether other replicas can use the same board
	close  func() // closes the connection to the board, when the service ends
}

// openBoard returns the guard's board.
//
//   - If the store of leaves has a board, openBoard returns that one.
//   - If delegated leaves are off but Redis is configured, the board is in Redis.
//   - Otherwise only this process uses the board. With a leave file, a second file
//     beside it keeps the state of the brake.
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

// redis returns the options for connecting to the replicas' common Redis.
func (s *shared) redis() redisstore.Options {
	where := s.cfg.Store
	return redisstore.Options{
		URL: where.RedisURL, Password: s.credentials.redisPassword, Prefix: where.RedisPrefix,
		Roots: s.credentials.roots, Log: s.log,
	}
}
