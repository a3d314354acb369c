package keeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

const (
	creators   = 50              // how many rooms the keeper creates at the same time after an outage of the SFU
	createTime = 5 * time.Second // how long the creation of one room may take at most
	// roomTries is how often the keeper repeats its attempt to create rooms. These tries
	// take some minutes. After them, the keeper creates a missing room when it next asks
	// who is in the room.
	roomTries    = 12
	firstTry     = time.Second
	longestPause = time.Minute
)

// restoreRooms creates the rooms that the SFU may have lost in an outage. It returns
// how many rooms it could not create, and false if the store does not list the rooms. A
// goroutine tries for some minutes to create the missing rooms. Nobody counts as absent
// from a room that could not be created.
func (k *Keeper) restoreRooms(ctx context.Context) (missing int, ok bool) {
	rooms, err := k.Store.Rooms(ctx)
	if err != nil {
		k.Log.Error("leave: the store could not list the rooms that the SFU may have lost", "err", err)
		return 0, false
	}
	left := k.createRooms(ctx, rooms)
	if len(left) > 0 {
		k.retrying.Go(func() { k.retryRooms(ctx, left) })
	}
	k.wake()
	return len(left), true
}

// retryRooms tries again to create rooms. It stops if the SFU is away, because after an
// outage the keeper restores all rooms anyway.
func (k *Keeper) retryRooms(ctx context.Context, rooms []sfu.Room) {
	pause := firstTry
	for n := 0; len(rooms) > 0 && n < roomTries && timing.Sleep(ctx, pause); n++ {
		if k.presence.Away() {
			return
		}
		rooms = k.createRooms(ctx, rooms)
		pause = min(2*pause, longestPause)
	}
}

// createRooms creates rooms, and returns those that it could not create.
func (k *Keeper) createRooms(ctx context.Context, rooms []sfu.Room) (left []sfu.Room) {
	var (
		wg      sync.WaitGroup
		permits = make(chan struct{}, creators)
		mu      sync.Mutex
	)
	for _, room := range rooms {
		permits <- struct{}{}
		wg.Go(func() {
			defer func() { <-permits }()
			_, err := fault.Catch(func() (sfu.Room, error) { return room, k.createRoom(ctx, room) })
			if ours, ok := errors.AsType[*fault.Error](err); ok {
				k.logPanic(ours.Value, ours.Stack, slog.String("room", string(room)))
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, room)
			}
		})
	}
	wg.Wait()
	return left
}

// createRoom creates one room. After an error, the keeper does not conclude that the SFU
// is away. It concludes this only if the SFU does not answer questions, for example who
// is in a room.
func (k *Keeper) createRoom(ctx context.Context, room sfu.Room) error {
	creating, cancel := context.WithTimeout(ctx, createTime)
	defer cancel()
	err := k.SFU.CreateRoom(creating, room)
	switch {
	case err == nil:
		k.Log.Debug("leave: room created again", "room", room)
	case ctx.Err() == nil:
		level := slog.LevelDebug
		if k.notCreated.Due(k.now()) {
			level = slog.LevelWarn
		}
		k.Log.Log(ctx, level, "leave: a room that the SFU lost could not be re-created", "room", room, "err", err)
		k.presence.Doubt(room)
	}
	return err
}
