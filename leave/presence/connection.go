package presence

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

const (
	// connectPause is the least time between two checks for a restart of the SFU.
	// reconnectPause is the pause before a long connection is opened again.
	connectPause   = time.Second
	reconnectPause = 100 * time.Millisecond
)

// watchConnection notices an SFU that restarts between two questions. Its
// clients reconnect to rooms that do not exist, and give up.
func (p *Presence) watchConnection(ctx context.Context) {
	for pause := reconnectPause; timing.Sleep(ctx, pause); {
		began := p.Clock.Now()
		err := p.SFU.Watch(ctx)
		pause = connectPause
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.ping(ctx)
			continue
		case p.Clock.Since(began) > connectPause:
			pause = reconnectPause
		}
		p.connectionEnded(ctx)
	}
}

// connectionEnded finds out whether the SFU has ended, or a proxy has closed an
// idle connection.
func (p *Presence) connectionEnded(ctx context.Context) {
	now := p.Clock.Now()
	if !p.ping(ctx) {
		return
	}
	rooms := p.someRooms(ctx)
	if slices.ContainsFunc(rooms, func(room sfu.Room) bool { return p.hasLost(ctx, room) }) {
		p.Log.Warn("leave: the SFU has restarted")
		p.outage.begin(now)
		return
	}
	for _, room := range rooms {
		p.Doubt(room) // one of several nodes may have ended, or the SFU's Redis may have kept the rooms
	}
}

// ping asks whether the SFU answers, unless it is known to be away.
func (p *Presence) ping(ctx context.Context) bool {
	if p.Away() {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := p.SFU.Ping(asking)
	if ctx.Err() == nil {
		p.note(err)
	}
	return err == nil
}

// enough is how many random rooms are checked instead of all rooms.
const enough = 20

// someRooms returns up to enough rooms in which somebody was.
func (p *Presence) someRooms(ctx context.Context) []sfu.Room {
	rooms, err := p.Jobs.Rooms(ctx)
	if err != nil {
		return nil
	}
	rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	return rooms[:min(len(rooms), enough)]
}

// hasLost reports whether the SFU no longer has the room, or has created it
// again. It compares the room's age with the participant who has been in it for
// longest.
func (p *Presence) hasLost(ctx context.Context, room sfu.Room) bool {
	jobs, err := p.Jobs.Room(ctx, room)
	jobs = slices.DeleteFunc(jobs, func(j leave.Job) bool { return !j.Occupies() || !j.RoomMatters() })
	if err != nil || len(jobs) == 0 {
		return false
	}
	oldest := slices.MinFunc(jobs, func(a, b leave.Job) int { return a.RoomSeen.Compare(b.RoomSeen) })
	made, err := p.roomMade(ctx, room)
	return err == nil && oldest.Outlived(made)
}
