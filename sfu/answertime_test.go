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

// answerTime is how long a call waits for an answer on a reused connection
// before the client tries a new connection.
const answerTime = 10 * time.Second / 3

// TestDeadConnection checks that a pooled connection that no longer answers
// delays only one call, by answerTime.
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

// TestDeadPool checks that a call does not try the dead connections of a pool
// one after another.
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

// TestSlowAnswer checks that the client does not repeat a call on a new
// connection, even if the SFU takes 9 s to answer.
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

// TestClosedConnection checks that a call succeeds if the SFU closes the pooled
// connection at the moment when the client uses it again.
func TestClosedConnection(t *testing.T) {
	client, server := start(t)
	server.FailNext(nil, sfutest.Drop(), nil)
	for range 2 {
		if err := client.Ping(t.Context()); err != nil {
			t.Errorf("Ping: got %v, want no error", err)
		}
	}
}
