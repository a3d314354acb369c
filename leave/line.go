package leave

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"matrixrtc-auth/sfu"
)

const (
	// linePause is the least time between two looks for a restart of the SFU.
	linePause = time.Second
	// lineBroken is how soon a line is opened again that had lasted.
	lineBroken = 100 * time.Millisecond
)

// watchLine notices an SFU that ends and is back before anybody has asked: its
// clients come back to rooms that are not there, and give up.
func (k *Keeper) watchLine(ctx context.Context) {
	for pause := lineBroken; sleep(ctx, pause); {
		began := k.now()
		err := k.SFU.Watch(ctx)
		pause = linePause
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			k.ping(ctx)
			continue
		case k.Clock.Since(began) > linePause:
			pause = lineBroken
		}
		k.lineEnded(ctx)
	}
}

// lineEnded finds out whether the SFU has ended, or a proxy was tired of a
// connection without requests.
func (k *Keeper) lineEnded(ctx context.Context) {
	now := k.now()
	if k.ping(ctx) && k.lostRooms(ctx) {
		k.Log.Warn("leave: the SFU has restarted")
		k.watch.failed(now) // watchSFU welcomes it
	}
}

// ping asks an SFU that is not known to be away whether it answers.
func (k *Keeper) ping(ctx context.Context) bool {
	if down, _ := k.watch.state(); down {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := k.SFU.Ping(asking)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.sfuFailed(err)
	default:
		k.sfuAnswered()
	}
	return err == nil
}

// someRooms is how many rooms, at random, tell of all.
const someRooms = 20

// lostRooms reports whether the SFU no longer has a room that somebody was in,
// or has made it anew.
func (k *Keeper) lostRooms(ctx context.Context) bool {
	rooms, err := k.Store.Rooms(ctx)
	if err != nil {
		return false
	}
	rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	return slices.ContainsFunc(rooms[:min(len(rooms), someRooms)], func(room sfu.Room) bool { return k.lostRoom(ctx, room) })
}

// lostRoom goes by who has been in the room for longest: it is as old as that.
func (k *Keeper) lostRoom(ctx context.Context, room sfu.Room) bool {
	jobs, err := k.Store.Room(ctx, room)
	jobs = slices.DeleteFunc(jobs, func(j Job) bool { return !j.Occupies() || j.ClearLeave || j.RoomSeen.IsZero() })
	if err != nil || len(jobs) == 0 {
		return false
	}
	oldest := slices.MinFunc(jobs, func(a, b Job) int { return a.RoomSeen.Compare(b.RoomSeen) })
	since, err := k.roomSince(ctx, room)
	return err == nil && oldest.isBefore(since)
}
