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

// share is what one server has of the budget.
type share struct {
	slots chan struct{}
	users int // who uses it or waits for it
}

// sharesKept is how many shares without users stay, to be used again.
const sharesKept = 256

func newBudget(total, perServer int) *budget {
	return &budget{
		perServer: perServer,
		total:     make(chan struct{}, total),
		servers:   make(map[ServerName]*share),
	}
}

// acquire waits for a slot until ctx ends; release gives it back. The server's
// own slot comes first: those who wait for a slow server hold nothing of the
// total.
func (b *budget) acquire(ctx context.Context, server ServerName) (*share, error) {
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
	return s, nil
}

func (b *budget) release(server ServerName, s *share) {
	<-b.total
	<-s.slots
	b.leave(server, s)
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
	if s.users--; s.users == 0 && len(b.servers) > sharesKept {
		delete(b.servers, server)
	}
}
