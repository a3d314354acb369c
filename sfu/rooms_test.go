package sfu_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// creator stands for an SFU. The fields say how long each call takes, and with
// which error it fails.
type creator struct {
	takes time.Duration
	fails error
	calls atomic.Int64
}

func (c *creator) CreateRoom(ctx context.Context, _ sfu.Room) error {
	c.calls.Add(1)
	fails := c.fails
	select {
	case <-time.After(c.takes):
		return fails
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *creator) wantCalls(t *testing.T, want int64) {
	t.Helper()
	if got := c.calls.Load(); got != want {
		t.Errorf("%d calls, want %d", got, want)
	}
}

func ensure(t *testing.T, rooms *sfu.Rooms, want bool) {
	t.Helper()
	if created, err := rooms.Ensure(t.Context(), "room"); created != want || err != nil {
		t.Errorf("Ensure = %t, %v, want %t", created, err, want)
	}
}

func TestEnsureRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creator{}
		rooms := sfu.NewRooms(c)
		ensure(t, rooms, true)
		time.Sleep(5*time.Second - 1)
		ensure(t, rooms, false)
		c.wantCalls(t, 1)
		time.Sleep(time.Nanosecond)
		ensure(t, rooms, true)
		c.wantCalls(t, 2)
	})
}

// TestEnsureCountsFromTheCall checks that the age of a confirmation counts from
// the start of the call, not from the answer.
func TestEnsureCountsFromTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creator{takes: 3 * time.Second}
		rooms := sfu.NewRooms(c)
		ensure(t, rooms, true)
		time.Sleep(2*time.Second - 1)
		ensure(t, rooms, false)
		time.Sleep(time.Nanosecond)
		ensure(t, rooms, true)

		c.takes = 6 * time.Second
		time.Sleep(5 * time.Second)
		ensure(t, rooms, true)
		ensure(t, rooms, true)
		c.wantCalls(t, 4)
	})
}

func TestEnsureSharesACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creator{takes: 2 * time.Second}
		rooms := sfu.NewRooms(c)
		var made atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond) // the last ones begin after 2 s, when the SFU has answered the shared call
				created, err := rooms.Ensure(t.Context(), "room")
				if err != nil {
					t.Errorf("Ensure: got %v, want no error", err)
				}
				if created {
					made.Add(1)
				}
			})
		}
		wg.Wait()
		c.wantCalls(t, 1)
		if made.Load() != 1 {
			t.Errorf("got %d of 50 made the one call, want 1", made.Load())
		}
	})
}

func TestEnsureKeepsRoomsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creator{takes: time.Second}
		rooms := sfu.NewRooms(c)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { rooms.Ensure(t.Context(), sfu.Room(fmt.Sprint(i))) })
		}
		wg.Wait()
		c.wantCalls(t, 10)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want 1 s: the rooms waited for each other", took)
		}
	})
}

func TestEnsureForgetsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("no")
		c := &creator{takes: time.Second, fails: failure}
		rooms := sfu.NewRooms(c)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if created, err := rooms.Ensure(t.Context(), "room"); created || err != failure {
					t.Errorf("Ensure = %t, %v, want the failure", created, err)
				}
			})
		}
		wg.Wait()
		c.wantCalls(t, 1)
		c.fails = nil
		ensure(t, rooms, true)
		c.wantCalls(t, 2)
	})
}

// TestEnsureOutlivesItsCaller checks a call whose first caller leaves. The call
// must go on. Other callers must get the result of the call, and Rooms must
// remember this result.
func TestEnsureOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creator{takes: 2 * time.Second}
		rooms := sfu.NewRooms(c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			time.Sleep(500 * time.Millisecond)
			ensure(t, rooms, false)
		}()
		start := time.Now()
		_, err := rooms.Ensure(ctx, "room")
		wantCause(t, err, sfu.CauseTimeout)
		if took := time.Since(start); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("returned %v after %s, want the deadline's error after 1 s", err, took)
		}
		time.Sleep(2 * time.Second)
		ensure(t, rooms, false)
		c.wantCalls(t, 1)
	})
}

func TestEnsureCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms := sfu.NewRooms(&creator{takes: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, err := rooms.Ensure(ctx, "room")
		wantCause(t, err, sfu.CauseCanceled)
		time.Sleep(time.Second) // in this time the call of CreateRoom goes on and ends
	})
}

// TestEnsureIsBounded checks that no caller waits longer than 10 s for an SFU
// that hangs, even without a deadline.
func TestEnsureIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailAlways(sfutest.Hang())
		client, _ := inMemory(t, fake)
		rooms := sfu.NewRooms(client)
		start := time.Now()
		_, err := rooms.Ensure(t.Context(), "room")
		wantCause(t, err, sfu.CauseTimeout)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s, want 10 s", took)
		}
		fake.FailAlways(nil)
		ensure(t, rooms, true)
	})
}

// TestEnsureIsCrowded checks an SFU that hangs. Rooms must make at most 512 calls
// to it at the same time, even if all callers have left.
func TestEnsureIsCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creator{takes: 10 * time.Second}
		rooms := sfu.NewRooms(c)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 512 {
			go rooms.Ensure(ctx, sfu.Room(fmt.Sprint("slow ", i)))
		}
		synctest.Wait()
		cancel()
		start := time.Now()
		created, err := rooms.Ensure(t.Context(), "one more")
		if e, ok := errors.AsType[*sfu.Error](err); !ok || e.Cause != sfu.CauseBusy || created || time.Since(start) != 0 {
			t.Errorf("got %v, %v after %v, want the cause %s at once", created, err, time.Since(start), sfu.CauseBusy)
		}
		c.wantCalls(t, 512)
		if created, err := rooms.Ensure(t.Context(), "slow 7"); err != nil || created {
			t.Errorf("a room that is asked for already: got %v, %v, want the answer to the call under way", created, err)
		}
		if created, err := rooms.Ensure(t.Context(), "one more"); err != nil || !created {
			t.Errorf("afterwards: got %v, %v, want it created", created, err)
		}
	})
}

func TestEnsureMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kept = 4096
		c := &creator{}
		rooms := sfu.NewRooms(c)
		name := func(i int) sfu.Room { return sfu.Room(fmt.Sprint(i)) }
		for i := range kept + 1 {
			rooms.Ensure(t.Context(), name(i))
		}
		if created, _ := rooms.Ensure(t.Context(), name(kept)); created {
			t.Error("Ensure of the newest room: got a call, want that it is remembered")
		}
		if created, _ := rooms.Ensure(t.Context(), name(0)); !created {
			t.Errorf("Ensure of the oldest of more than %d rooms: got no call, want that it is forgotten", kept)
		}
	})
}

// TestEnsureConcurrently checks many users who ask for a few rooms at the same
// time. Rooms must make only one call for each room. The calls go to the fake
// SFU over real connections.
func TestEnsureConcurrently(t *testing.T) {
	client, server := start(t)
	rooms := sfu.NewRooms(client)
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				created, err := rooms.Ensure(t.Context(), sfu.Room(fmt.Sprint(i%20)))
				if err != nil {
					t.Errorf("Ensure: got %v, want no error", err)
				}
				if created {
					made.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := server.Calls("CreateRoom"); int64(got) != made.Load() || len(server.Rooms()) != 20 {
		t.Errorf("%d calls, %d reported, %d rooms, want 20 rooms", got, made.Load(), len(server.Rooms()))
	}
}

// panicking is a Creator that panics at its first call.
type panicking struct{ once sync.Once }

func (p *panicking) CreateRoom(context.Context, sfu.Room) error {
	p.once.Do(func() { panic("a fault") })
	return nil
}

// TestEnsurePanics checks that a panic in a call ends only that request. The
// process goes on, and the next request succeeds.
func TestEnsurePanics(t *testing.T) {
	rooms := sfu.NewRooms(&panicking{})
	created, err := rooms.Ensure(t.Context(), "room")
	if _, ok := errors.AsType[*fault.Error](err); !ok || created {
		t.Errorf("Ensure = %t, %v, want the fault", created, err)
	}
	ensure(t, rooms, true)
}
