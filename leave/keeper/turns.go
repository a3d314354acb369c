package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// turnTime is the longest wait for a turn. After that the delegation goes on
// without a turn. It is better to exceed a limit by one job than to lose a
// delegation because the store is slow.
const turnTime = 200 * time.Millisecond

// turns makes the delegations of one user wait for each other. The zero value is
// ready to use.
type turns struct {
	once sync.Once
	of   *semaphore.Keyed[matrix.UserID]
}

// take waits for the user's turn, for at most turnTime. release ends the turn.
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
