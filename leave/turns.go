package leave

import (
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

// turnTime is how long a turn is waited for. Then the delegation goes on
// without one: rather one over the limit than one lost because the store is
// slow.
const turnTime = 200 * time.Millisecond

// turns has the delegations of a user come one after the other. Users do not
// wait for each other. The zero value is ready.
type turns struct {
	mu sync.Mutex
	of map[matrix.UserID]*turn
}

// turn is one user's.
type turn struct {
	taken chan struct{} // full while somebody has it
	users int           // who have it, or want it
}

// take waits for user's turn, for turnTime at most. Release ends it.
func (t *turns) take(user matrix.UserID) (release func()) {
	mine := t.join(user)
	timer := time.NewTimer(turnTime)
	defer timer.Stop()
	select {
	case mine.taken <- struct{}{}:
		return func() {
			<-mine.taken
			t.leave(user, mine)
		}
	case <-timer.C:
		return func() { t.leave(user, mine) }
	}
}

func (t *turns) join(user matrix.UserID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := t.of[user]
	if mine == nil {
		if t.of == nil {
			t.of = map[matrix.UserID]*turn{}
		}
		mine = &turn{taken: make(chan struct{}, 1)}
		t.of[user] = mine
	}
	mine.users++
	return mine
}

// leave forgets the turn when nobody wants it.
func (t *turns) leave(user matrix.UserID, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.of, user)
	}
}
