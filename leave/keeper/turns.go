package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// turnTime is how long a turn is waited for. Then the delegation goes on
// without one: rather one over the limit than one lost because the store is
// slow.
const turnTime = 200 * time.Millisecond

// turns has the delegations of a user come one after the other. Users do not
// wait for each other. The zero value is ready.
type turns struct {
	once sync.Once
	of   *semaphore.Keyed[matrix.UserID]
}

// take waits for user's turn, for turnTime at most. Release ends it.
func (t *turns) take(user matrix.UserID) (release func()) {
	t.once.Do(func() { t.of = semaphore.New[matrix.UserID](semaphore.Bounds{PerKey: 1}) })
	ctx, cancel := context.WithTimeout(context.Background(), turnTime)
	defer cancel()
	release, err := t.of.Acquire(ctx, user)
	if err != nil {
		return func() {}
	}
	return release
}
