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
	creators   = 50 // rooms created at once after an outage of the SFU
	createTime = 5 * time.Second
	// roomTries is how often to retry creating rooms, over some minutes. After
	// that, looks into the rooms do it.
	roomTries    = 12
	firstTry     = time.Second
	longestPause = time.Minute
)

// restoreRooms creates the rooms that an SFU may have lost in an outage. Nobody
// counts as absent from a room that could not be created; it is retried for
// some minutes.
func (k *Keeper) restoreRooms(ctx context.Context) (missing int, ok bool) {
	rooms, err := k.Store.Rooms(ctx)
	if err != nil {
		k.Log.Error("leave: the rooms to create again could not be listed", "err", err)
		return 0, false
	}
	left := k.createRooms(ctx, rooms)
	if len(left) > 0 {
		k.retrying.Go(func() { k.retryRooms(ctx, left) })
	}
	k.Wake()
	return len(left), true
}

// retryRooms retries creating rooms. It stops when the SFU is away again, because
// then all rooms must be restored anyway.
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

// createRoom creates one room. Its error does not mean that the SFU is away;
// other questions find that out.
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
		k.Log.Log(ctx, level, "leave: a room could not be created again", "room", room, "err", err)
		k.presence.Doubt(room)
	}
	return err
}
