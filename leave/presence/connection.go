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
	// When the connection to the SFU ends, or cannot be opened, the service opens
	// another one after connectPause. If the old connection was open for longer than
	// connectPause, reconnectPause is enough.
	connectPause   = time.Second
	reconnectPause = 100 * time.Millisecond
)

// watchConnection holds a connection to the SFU. The connection ends when the SFU
// restarts. So the service notices a restart even between two questions to the SFU, and
// can create the rooms again. Without the rooms, clients could not reconnect, and would
// give up.
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

// connectionEnded finds out why the connection has ended: either the SFU has restarted,
// or a proxy has closed an idle connection. If the SFU has restarted, connectionEnded
// records that an outage of the SFU begins.
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
		// A node may have died, although all rooms still exist in the SFU's Redis or on
		// other nodes.
		p.Doubt(room)
	}
}

// ping asks the SFU and reports whether it answers. While the SFU counts as away, ping
// does not ask, and reports false.
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

// enough is how many rooms connectionEnded checks at most. It chooses them at random.
const enough = 20

// someRooms returns at most 20 of the rooms that the SFU must have for the jobs (see
// [leave.Job.Occupies]). It chooses them at random.
func (p *Presence) someRooms(ctx context.Context) []sfu.Room {
	rooms, err := p.Jobs.Rooms(ctx)
	if err != nil {
		return nil
	}
	rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	return rooms[:min(len(rooms), enough)]
}

// hasLost reports whether the SFU no longer has the room, or has created it again. The
// SFU has created it again if the room is newer than the arrival of the participant who
// has been in it for longest.
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
