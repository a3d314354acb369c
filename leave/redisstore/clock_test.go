package redisstore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/clock/clocktest"
)

// bench is a storeClock for tests. Our machine and Redis have virtual clocks.
type bench struct {
	storeClock
	machine clocktest.Machine // the machine of this process, with its clock
	redis   time.Duration     // how far Redis' clock is ahead of the real time
	applied int64             // the correction that Redis stores (see storeClock), in milliseconds
}

func newBench() *bench {
	b := &bench{}
	b.ours = b.machine.Clock()
	return b
}

// hear passes an answer of Redis to the storeClock. taking is how long the answer
// takes.
func (b *bench) hear(taking time.Duration) verdict {
	sent := b.ours.Now()
	store := time.Now().Add(b.redis).UnixMilli() + b.applied
	time.Sleep(taking)
	return b.heard(store, b.applied, sent)
}

func (b *bench) want(t *testing.T, what string, v verdict, jump, difference time.Duration) {
	t.Helper()
	if v.jump != jump {
		t.Errorf("%s: got a jump of %v, want %v", what, v.jump, jump)
	}
	if got := b.ahead(); got != difference {
		t.Errorf("%s: got the difference %v, want %v", what, got, difference)
	}
}

func TestClockDifference(t *testing.T) {
	for _, redis := range []time.Duration{0, time.Hour, -20 * time.Second} {
		t.Run(fmt.Sprintf("Redis is %v ahead", redis), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				b.redis = redis
				b.want(t, "at first", b.hear(0), 0, redis)
				b.redis += 900 * time.Millisecond
				b.want(t, "within a second", b.hear(0), 0, redis)
				b.redis = redis
				b.want(t, "a slow answer", b.hear(3*time.Second), 0, redis)
				time.Sleep(24 * time.Hour)
				b.redis += 20 * time.Second
				b.want(t, "drifted on in a day", b.hear(0), 0, b.redis)
			})
		})
	}
}

// TestOurWallClockIsSet sets the wall clock of this machine. This must not count as a
// jump of Redis' clock, and must not change the difference between the clocks.
func TestOurWallClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.hear(0)
		for _, jump := range []time.Duration{time.Hour, -time.Hour, -time.Minute, time.Minute} {
			b.machine.Set(jump)
			b.want(t, "set by "+jump.String(), b.hear(0), 0, 0)
			time.Sleep(2 * concede)
		}
	})
}

// TestSlowAnswerIsNoJump has a slow answer of Redis and then a quick one. The time in a
// slow answer can be old. The quick answer must not count as a jump of Redis' clock.
func TestSlowAnswerIsNoJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.want(t, "a slow answer at first", b.hear(5*time.Second), 0, 0)
		b.want(t, "then a quick one", b.hear(0), 0, 0)
		time.Sleep(2 * concede)
		b.want(t, "a slow one later", b.hear(20*time.Second), 0, 0)
		b.want(t, "then a quick one", b.hear(0), 0, 0)
		b.redis -= time.Minute
		b.want(t, "Redis' clock is set back", b.hear(0), -time.Minute, 0)
	})
}

// TestOurMachineSleeps lets our machine sleep. Our clock counts the time of the sleep,
// so the sleep must not count as a jump of Redis' clock.
func TestOurMachineSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.hear(0)
		time.Sleep(2 * concede)
		b.machine.Sleep(10 * time.Minute)
		b.redis += 10 * time.Minute // virtual time stands still while the machine sleeps, but Redis' clock goes on
		b.want(t, "awake", b.hear(0), 0, 0)
	})
}

func TestClockOfRedisJumped(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Minute} {
		t.Run(fmt.Sprintf("by %v", jump), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				b.hear(0)
				time.Sleep(concede)
				b.redis = jump
				v := b.hear(0)
				b.want(t, "jumped", v, jump, 0)
				b.want(t, "not corrected yet", b.hear(0), jump, 0)
				if left := b.now() - time.Now().UnixMilli(); left != 0 {
					t.Errorf("the store's time is %d ms ahead after the jump, want 0: the jump must not change it", left)
				}
				b.correct(b.applied)
				b.want(t, "an answer from before the correction", b.hear(0), 0, 0)
				b.applied = -jump.Milliseconds()
				b.want(t, "corrected", b.hear(0), 0, 0)
				time.Sleep(2 * concede)
				b.redis += jump
				b.want(t, "jumped again", b.hear(0), jump, 0)
			})
		})
	}
}

// TestNewcomerConcedes has a replica that has just started. This replica must accept a
// correction of Redis' clock that other replicas made. But it must still notice a jump
// of that clock.
func TestNewcomerConcedes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.redis = time.Hour
		b.want(t, "at first", b.hear(0), 0, time.Hour)
		b.applied = -time.Hour.Milliseconds()
		b.want(t, "corrected by those who know the time before", b.hear(0), 0, 0)
		b.redis -= time.Hour
		b.want(t, "Redis' clock is set back", b.hear(0), -time.Hour, 0)
	})
}

// TestPausedMachineConcedes has a replica whose machine was paused, together with its
// clock. So the replica believes that Redis' clock has jumped. It changes the correction,
// the milliseconds that all replicas add to Redis' clock. When other replicas undo this
// change, the replica must accept that.
func TestPausedMachineConcedes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.hear(0)
		time.Sleep(2 * concede)
		b.redis = 30 * time.Second // to the paused machine, Redis' clock seems to have jumped
		b.want(t, "resumed", b.hear(0), 30*time.Second, 0)
		b.correct(0)
		b.applied = -30_000
		b.want(t, "corrected", b.hear(0), 0, 0)
		b.applied = 1 // another replica has undone the correction
		b.want(t, "the others disagree", b.hear(0), 0, 30*time.Second+time.Millisecond)
	})
}

// TestOthersAreWrong checks the case that another replica changes the correction of
// Redis' clock without need. The change must count as a jump of the store's time. So
// this replica changes the correction again.
func TestOthersAreWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.hear(0)
		time.Sleep(2 * concede)
		b.applied = -30_000
		b.want(t, "a machine that was paused has corrected it", b.hear(0), -30*time.Second, 0)
	})
}
