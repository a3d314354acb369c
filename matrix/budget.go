package matrix

import (
	"context"
	"sync"
)

// budget bounds what is under way at once, in total and per server, so that
// a slow server holds up its own users and nobody else's.
type budget struct {
	perServer int
	total     chan struct{}

	mu      sync.Mutex
	servers map[ServerName]*share
}

// share is what one server has of the budget. It lives as long as anybody
// uses it or waits for it.
type share struct {
	slots chan struct{}
	users int
}

func newBudget(total, perServer int) *budget {
	return &budget{
		perServer: perServer,
		total:     make(chan struct{}, total),
		servers:   make(map[ServerName]*share),
	}
}

// acquire waits for a slot until ctx ends. The server's own slot comes first:
// those who wait for a slow server hold nothing of the total.
func (b *budget) acquire(ctx context.Context, server ServerName) (release func(), err error) {
	s := b.join(server)
	if err := take(ctx, s.slots); err != nil {
		b.leave(server, s)
		return nil, err
	}
	if err := take(ctx, b.total); err != nil {
		<-s.slots
		b.leave(server, s)
		return nil, err
	}
	return func() {
		<-b.total
		<-s.slots
		b.leave(server, s)
	}, nil
}

func take(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *budget) join(server ServerName) *share {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.servers[server]
	if s == nil {
		s = &share{slots: make(chan struct{}, b.perServer)}
		b.servers[server] = s
	}
	s.users++
	return s
}

func (b *budget) leave(server ServerName, s *share) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(b.servers, server)
	}
}
