package redisstore

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
)

// bench is a clock with the others that it is told of, all virtual.
type bench struct {
	clock
	wrong   time.Duration // our wall clock's, beyond the monotonic one
	redis   time.Duration // Redis'
	applied int64         // the correction that is in force
}

func newBench() *bench {
	b := &bench{}
	b.wall = wallClock(func() time.Time { return time.Now().Add(b.wrong) })
	return b
}

// hear has an answer come that took so long.
func (b *bench) hear(taking time.Duration) verdict {
	sent := b.wall()
	store := time.Now().Add(b.redis).UnixMilli() + b.applied
	time.Sleep(taking)
	return b.heard(store, b.applied, sent)
}

func (b *bench) want(t *testing.T, what string, v verdict, jump, difference time.Duration) {
	t.Helper()
	if v.jump != jump {
		t.Errorf("%s: Redis' clock jumped by %v, want %v", what, v.jump, jump)
	}
	if got := b.ahead(); got != difference {
		t.Errorf("%s: the difference is %v, want %v", what, got, difference)
	}
}

func TestClockDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, redis := range []time.Duration{0, time.Hour, -20 * time.Second} {
			b := newBench()
			b.redis = redis
			b.want(t, "at first", b.hear(0), 0, redis)
			b.redis += 900 * time.Millisecond
			b.want(t, "within a second", b.hear(0), 0, redis)
			b.redis = redis
			b.want(t, "a slow answer", b.hear(3*time.Second), 0, redis)
			b.wrong = time.Hour
			v := b.hear(0)
			b.want(t, "our clock set forward", v, 0, redis-time.Hour)
			if redis != time.Hour && !v.changed {
				t.Error("the change was not told")
			}
			b.wrong = 0
			b.want(t, "and back", b.hear(0), 0, redis)
			time.Sleep(24 * time.Hour)
			b.redis += 20 * time.Second
			b.want(t, "drifted on in a day", b.hear(0), 0, b.redis)
		}
	})
}

func TestWallClockIsNotMonotonic(t *testing.T) {
	for _, now := range []func() time.Time{nil, time.Now} {
		if got := wallClock(now)().String(); strings.Contains(got, "m=") {
			t.Errorf("%s has a monotonic reading", got)
		}
	}
}

func TestClockOfRedisJumped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, jump := range []time.Duration{time.Hour, -time.Minute} {
			b := newBench()
			b.hear(0)
			time.Sleep(concede)
			b.redis = jump
			v := b.hear(0)
			b.want(t, "jumped", v, jump, 0)
			b.want(t, "not corrected yet", b.hear(0), jump, 0)
			if left := b.in(0) - time.Now().UnixMilli(); left != 0 {
				t.Errorf("commands are limited to %d ms from now, want by the time before the jump", left)
			}
			b.correct(b.applied)
			b.want(t, "an answer from before the correction", b.hear(0), 0, 0)
			b.applied = -jump.Milliseconds()
			b.want(t, "corrected", b.hear(0), 0, 0)
			time.Sleep(2 * concede)
			b.redis += jump
			b.want(t, "jumped again", b.hear(0), jump, 0)
		}
	})
}

func TestNewcomerConcedes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.redis = time.Hour
		b.want(t, "at first", b.hear(0), 0, time.Hour)
		b.applied = -time.Hour.Milliseconds()
		b.want(t, "corrected by those who know the time before", b.hear(0), 0, 0)
	})
}

// A machine that was paused, both its clocks with it, takes all others for
// wrong; when they disagree it is the one that gives in.
func TestPausedMachineConcedes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.hear(0)
		time.Sleep(concede)
		b.redis = 30 * time.Second // as it seems from inside
		b.want(t, "resumed", b.hear(0), 30*time.Second, 0)
		b.correct(0)
		b.applied = -30_000
		b.want(t, "corrected", b.hear(0), 0, 0)
		b.applied = 1 // another replica has taken it back, nearly
		b.want(t, "the others disagree", b.hear(0), 0, 30*time.Second+time.Millisecond)
		b.wrong = 30 * time.Second
		b.want(t, "our wall clock was set right", b.hear(0), 0, 0)
	})
}

// A time that is added to a job has to be translated with the others.
func TestMovedMovesEveryTime(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000)
	var job, want leave.Job
	if n := setTimes(reflect.ValueOf(&job).Elem(), at); n < 9 {
		t.Fatalf("a job has only %d times", n)
	}
	setTimes(reflect.ValueOf(&want).Elem(), at.Add(time.Hour))
	if got := moved(job, time.Hour); !reflect.DeepEqual(got, want) {
		t.Errorf("moved by an hour: %+v, want %+v", got, want)
	}
	if got := moved(leave.Job{}, time.Hour); !reflect.DeepEqual(got, leave.Job{}) {
		t.Errorf("the zero times became %+v", got)
	}
}

// setTimes sets every time in v and returns how many there are.
func setTimes(v reflect.Value, at time.Time) (n int) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(at))
			n++
		case leave.Lease:
			n += setTimes(f, at)
		}
	}
	return n
}
