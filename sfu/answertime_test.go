package sfu_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailAlways(sfutest.Hang())
		client, _ := inMemory(t, fake)
		start := time.Now()
		wantCause(t, client.Ping(t.Context()), sfu.CauseTimeout)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s, want 10 s", took)
		}
	})
}

// answerTime is how long a connection that was used before may be silent.
const answerTime = 10 * time.Second / 3

// A connection that died silently costs one call a few seconds.
func TestDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailNext(nil, sfutest.Hang())
		client, network := inMemory(t, fake)
		for i, want := range []time.Duration{0, answerTime, 0} {
			start := time.Now()
			if err := client.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != want {
				t.Errorf("call %d took %s, want %s", i, took, want)
			}
		}
		if got := network.dials.Load(); got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
	})
}

// All pooled connections die together; the calls must not try one by one.
func TestDeadPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		client, network := inMemory(t, fake)
		atOnce := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if err := client.Ping(t.Context()); err != nil {
						t.Errorf("Ping: got %v, want no error", err)
					}
				})
			}
			wg.Wait()
		}
		fake.FailAlways(sfutest.Delay(time.Second))
		atOnce(8)
		fake.FailAlways(nil)
		fake.FailNext(sfutest.Hang())
		start := time.Now()
		atOnce(1)
		if took := time.Since(start); took != answerTime {
			t.Errorf("took %s, want %s", took, answerTime)
		}
		if got := network.dials.Load(); got != 9 {
			t.Errorf("%d connections, want 8 and a fresh one", got)
		}
	})
}

// A new connection is given all the time: a slow SFU is not called twice.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailAlways(sfutest.Delay(9 * time.Second))
		client, _ := inMemory(t, fake)
		if err := client.Ping(t.Context()); err != nil {
			t.Errorf("Ping: got %v, want no error", err)
		}
		if got := fake.Calls("ListRooms"); got != 1 {
			t.Errorf("%d calls, want 1", got)
		}
	})
}

// The SFU closes a pooled connection at the moment it is used again.
func TestClosedConnection(t *testing.T) {
	client, server := start(t)
	server.FailNext(nil, sfutest.Drop(), nil)
	for range 2 {
		if err := client.Ping(t.Context()); err != nil {
			t.Errorf("Ping: got %v, want no error", err)
		}
	}
}
