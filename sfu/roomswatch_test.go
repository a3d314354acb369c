package sfu_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/sfu"
)

// connections stands for an SFU that accepts, refuses and ends connections when
// the test wants.
type connections struct {
	refuses atomic.Bool
	end     chan struct{}
	opened  atomic.Int64
}

func (c *connections) Hold(ctx context.Context, opened func()) error {
	if c.refuses.Load() {
		return errors.New("refused")
	}
	c.opened.Add(1)
	opened()
	select {
	case <-c.end:
	case <-ctx.Done():
	}
	return nil
}

// watching returns Rooms that watch a fake SFU until the test ends.
func watching(t *testing.T) (*sfu.Rooms, *creator, *connections) {
	t.Helper()
	asked, line := &creator{}, &connections{end: make(chan struct{})}
	rooms := sfu.NewRooms(asked)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rooms.Watch(ctx, line)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	synctest.Wait()
	return rooms, asked, line
}

func TestWatchedRoomsAreForgottenWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, asked, line := watching(t)
		ensure(t, rooms, true)
		ensure(t, rooms, false)
		time.Sleep(2 * time.Second)
		line.end <- struct{}{}
		synctest.Wait()
		ensure(t, rooms, true) // there is no connection at this time
		ensure(t, rooms, true)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		ensure(t, rooms, true)
		ensure(t, rooms, false)
		asked.wantCalls(t, 4)
	})
}

// TestWatchedRoomsForgetWhatIsUnderWay checks that the result of a call does
// not count if Watch lost its connection before the answer.
func TestWatchedRoomsForgetWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, asked, line := watching(t)
		asked.takes = 3 * time.Second
		go func() {
			time.Sleep(2 * time.Second)
			line.end <- struct{}{}
		}()
		ensure(t, rooms, true)
		asked.takes = 0
		ensure(t, rooms, true)
		ensure(t, rooms, false)
	})
}

// TestWatchedRoomsWhileTheSFUIsAway checks that rooms count as unconfirmed as
// long as Watch cannot connect to the SFU.
func TestWatchedRoomsWhileTheSFUIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, asked, line := watching(t)
		line.refuses.Store(true)
		line.end <- struct{}{}
		for range 5 {
			time.Sleep(900 * time.Millisecond)
			ensure(t, rooms, true)
			ensure(t, rooms, true)
		}
		line.refuses.Store(false)
		time.Sleep(time.Second)
		ensure(t, rooms, true)
		ensure(t, rooms, false)
		asked.wantCalls(t, 11)
		if got := line.opened.Load(); got != 2 {
			t.Errorf("got %d connections, want 2", got)
		}
	})
}

// TestWatchIsPatient checks that Watch connects at most once a second if a proxy
// ends each connection immediately.
func TestWatchIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, line := watching(t)
		close(line.end)
		time.Sleep(time.Minute)
		if got := line.opened.Load(); got < 60 || got > 62 {
			t.Errorf("got %d connections in a minute, want 60", got)
		}
	})
}

// TestRoomsAreForgottenWhenTheSFUIsAway checks calls through a proxy that keeps
// Watch's connection while the SFU is away. After an error that is not from the
// SFU itself, Ensure must create each room again, because the SFU may have lost
// it.
func TestRoomsAreForgottenWhenTheSFUIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		forgets bool
	}{
		"the proxy's word": {&sfu.Error{Cause: sfu.CauseStatus}, true},
		"no answer":        {&sfu.Error{Cause: sfu.CauseTimeout}, true},
		"the SFU's word":   {&sfu.Error{Cause: sfu.CauseStatus, Answered: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rooms, asked, _ := watching(t)
				ensure(t, rooms, true)
				ensure(t, rooms, false)
				asked.fails = c.err
				if _, err := rooms.Ensure(t.Context(), "another room"); err != c.err {
					t.Errorf("got %v, want %v", err, c.err)
				}
				asked.fails = nil
				ensure(t, rooms, c.forgets)
				ensure(t, rooms, false)
			})
		})
	}
}

// TestWatchedRoomsAndARestart checks that Rooms creates a room again after the
// fake SFU has restarted and lost its rooms.
func TestWatchedRoomsAndARestart(t *testing.T) {
	client, server := start(t)
	rooms := sfu.NewRooms(client)
	ctx, cancel := context.WithCancel(t.Context())
	opened, ended := make(chan struct{}, 10), make(chan struct{})
	go func() {
		defer close(ended)
		rooms.Watch(ctx, holding{client, opened})
	}()
	<-opened
	ensure(t, rooms, true)
	ensure(t, rooms, false)
	server.Restart()
	<-opened
	ensure(t, rooms, true)
	if got := len(server.Rooms()); got != 1 {
		t.Errorf("got %d rooms, want one", got)
	}
	cancel()
	<-ended
}

// holding is a Holder. Each time it has connected to the SFU, it sends a value to
// its channel.
type holding struct {
	*sfu.Client
	opened chan<- struct{}
}

func (h holding) Hold(ctx context.Context, opened func()) error {
	return h.Client.Hold(ctx, func() {
		opened()
		h.opened <- struct{}{}
	})
}

// TestForget checks a room that the SFU has closed. The next request must create
// the room again, even if the SFU closed it while a call for it was running.
func TestForget(t *testing.T) {
	for name, forget := range map[string]func(*testing.T, *sfu.Rooms, *creator){
		"after the answer": func(_ *testing.T, rooms *sfu.Rooms, _ *creator) { rooms.Forget("room") },
		"before the answer": func(t *testing.T, rooms *sfu.Rooms, c *creator) {
			time.Sleep(5 * time.Second)
			c.takes = 2 * time.Second
			time.AfterFunc(time.Second, func() { rooms.Forget("room") })
			ensure(t, rooms, true)
			c.takes = 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &creator{}
				rooms := sfu.NewRooms(c)
				ensure(t, rooms, true)
				rooms.Forget("another room")
				ensure(t, rooms, false)
				forget(t, rooms, c)
				ensure(t, rooms, true)
				ensure(t, rooms, false)
			})
		})
	}
}
