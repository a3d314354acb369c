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
	if p.ping(ctx) && p.hasLostRooms(ctx) {
		p.Log.Warn("leave: the SFU has restarted")
		p.outage.begin(now)
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

// someRooms is how many rooms, at random, tell of all.
const someRooms = 20

// hasLostRooms reports whether the SFU no longer has a room that somebody was
// in, or has made it anew.
func (p *Presence) hasLostRooms(ctx context.Context) bool {
	rooms, err := p.Jobs.Rooms(ctx)
	if err != nil {
		return false
	}
	rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	return slices.ContainsFunc(rooms[:min(len(rooms), someRooms)], func(room sfu.Room) bool { return p.hasLost(ctx, room) })
}

// hasLost goes by who has been in the room for longest: it is as old as that.
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
