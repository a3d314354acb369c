package leave

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

const (
	recreators = 50 // rooms created at once when the SFU is back
	// insistences is how often rooms are tried again that could not be created,
	// within some minutes; then whoever looks into them does.
	insistences = 12
)

// welcome has an SFU that is back know its rooms again. It returns those that
// could not be created; nobody's absence from them is believed until they are.
// When the SFU is away again, it is to be welcomed once more.
func (k *Keeper) welcome(ctx context.Context, since time.Time) (left []sfu.Room) {
	rooms, err := k.Store.Rooms(ctx)
	if err != nil {
		k.Log.Error("leave: listing rooms to create them again", "err", err)
		return nil
	}
	left = k.createAll(ctx, rooms)
	if len(left) > 0 && !k.answers(ctx) {
		return nil
	}
	k.watch.recovered(k.now())
	k.Log.Info("leave: the SFU answers again", "after", k.Clock.Since(since).Round(time.Millisecond), "rooms_missing", len(left))
	k.Wake()
	return left
}

// insist goes on with rooms that could not be created, until the SFU is away
// again: then it is welcomed with all.
func (k *Keeper) insist(ctx context.Context, rooms []sfu.Room) {
	for n := 1; len(rooms) > 0 && n <= insistences && sleep(ctx, lookPause(n)); n++ {
		if down, _ := k.watch.state(); down {
			return
		}
		rooms = k.createAll(ctx, rooms)
	}
}

// createAll creates rooms and returns those that could not be.
func (k *Keeper) createAll(ctx context.Context, rooms []sfu.Room) (left []sfu.Room) {
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, recreators)
		mu    sync.Mutex
	)
	for _, room := range rooms {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if k.createRoom(ctx, room) != nil {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, room)
			}
		})
	}
	wg.Wait()
	return left
}

// errNotCreated concerns one room; whether the SFU is away other questions tell.
var errNotCreated = errors.New("a room could not be created again")

func (k *Keeper) createRoom(ctx context.Context, room sfu.Room) error {
	creating, cancel := context.WithTimeout(ctx, 5*askTime)
	defer cancel()
	err := k.SFU.CreateRoom(creating, room)
	if err == nil {
		k.Log.Debug("leave: room created again", "room", room)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	k.logSeldom(k.watch.roomFailed(k.now()), "leave: creating a room again", err, "room", room)
	return fmt.Errorf("%w: %w", errNotCreated, err)
}
