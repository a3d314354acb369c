package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// turnTime is the longest wait of a delegation for its turn. After that, the delegation
// goes on without a turn. It is better to exceed a limit by one job than to lose a
// delegation because the store is slow.
const turnTime = 200 * time.Millisecond

// turns makes the delegations of one user run one after another. The zero value is
// ready to use.
type turns struct {
	once sync.Once
	of   *semaphore.Keyed[matrix.UserID]
}

// take waits until no other delegation of the user has the turn, for at most turnTime.
// The caller ends its turn with release.
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
