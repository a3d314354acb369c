package presence

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

const (
	// connectPause is the least time between two looks for a restart of the
	// SFU, reconnectPause how soon a connection is opened again that had
	// lasted.
	connectPause   = time.Second
	reconnectPause = 100 * time.Millisecond
)

// watchConnection notices an SFU that ends and is back before anybody has asked:
// its clients come back to rooms that are not there, and give up.
func (p *Presence) watchConnection(ctx context.Context) {
	for pause := reconnectPause; sleep(ctx, pause); {
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

// connectionEnded finds out whether the SFU has ended, or a proxy was tired of a
// connection without requests.
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
		p.Doubt(room) // one node of several may have ended, or kept its rooms in Redis
	}
}

// ping asks an SFU that is not known to be away whether it answers.
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

// enough is how many rooms, at random, tell of all.
const enough = 20

// someRooms returns rooms that somebody was in, as many as are enough.
func (p *Presence) someRooms(ctx context.Context) []sfu.Room {
	rooms, err := p.Jobs.Rooms(ctx)
	if err != nil {
		return nil
	}
	rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	return rooms[:min(len(rooms), enough)]
}

// hasLost reports whether the SFU no longer has a room, or has made it anew. It
// goes by who has been in the room for longest: it is as old as that.
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
