package memstore

import (
	"slices"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// record is a [leave.Job] in two thirds of its space: times are milliseconds
// since 1970, as everywhere behind a store.
type record struct {
	key         leave.Key
	user        matrix.UserID
	delayID     matrix.DelayID
	delay       time.Duration
	session     string
	leftSession string
	holder      string
	replaces    []matrix.DelayID
	version     uint64
	acceptedAt  int64
	since       int64
	deadline    int64
	restarted   int64
	roomSeen    int64
	silentSince int64
	refused     int64
	nextRestart int64
	nextLook    int64
	nextCancel  int64
	until       int64
	restarts    int32
	looks       int32
	sends       int32
	cancels     int32
	clearLeave  bool
	roomLost    bool
	unrecorded  bool
	state       state
}

func pack(j leave.Job) record {
	return record{
		key: j.Key, user: j.User, delayID: j.DelayID, delay: j.Delay,
		state: stateOf(j.State), session: j.Session, leftSession: j.LeftSession, clearLeave: j.ClearLeave, roomLost: j.RoomLost, unrecorded: j.Unrecorded,
		acceptedAt: millis(j.AcceptedAt), since: millis(j.Since), deadline: millis(j.Deadline),
		restarted: millis(j.Restarted), silentSince: millis(j.UnansweredSince), refused: millis(j.Refused), roomSeen: millis(j.RoomSeen),
		nextRestart: millis(j.NextRestart), nextLook: millis(j.NextLook), nextCancel: millis(j.NextCancel),
		restarts: int32(j.Restarts), looks: int32(j.Looks), sends: int32(j.Sends), cancels: int32(j.Cancels),
		replaces: j.Replaces, version: j.Version,
		holder: j.Lease.Holder, until: millis(j.Lease.Until),
	}
}

func (r record) job() leave.Job {
	return leave.Job{
		Key: r.key, User: r.user, DelayID: r.delayID, Delay: r.delay,
		State: r.state.name(), Session: r.session, LeftSession: r.leftSession, ClearLeave: r.clearLeave, RoomLost: r.roomLost, Unrecorded: r.unrecorded,
		AcceptedAt: instant(r.acceptedAt), Since: instant(r.since), Deadline: instant(r.deadline),
		Restarted: instant(r.restarted), UnansweredSince: instant(r.silentSince), Refused: instant(r.refused), RoomSeen: instant(r.roomSeen),
		NextRestart: instant(r.nextRestart), NextLook: instant(r.nextLook), NextCancel: instant(r.nextCancel),
		Restarts: int(r.restarts), Looks: int(r.looks), Sends: int(r.sends), Cancels: int(r.cancels),
		Replaces: r.replaces, Version: r.version,
		Lease: leave.Lease{Holder: r.holder, Until: instant(r.until)},
	}
}

// state is a [leave.State] in one byte: its place among all.
type state uint8

var states = leave.States()

func stateOf(s leave.State) state { return state(slices.Index(states, s)) }

func (s state) name() leave.State { return states[s] }

// millis and instant keep the zero time zero.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// entry is a job with its place in every order.
type entry struct {
	place
	record
	room  *room
	seat  int // in room.jobs
	owner *user
}

// sharing returns r with the texts that other jobs, or the maps, hold already.
func (e *entry) sharing(r record) record {
	r.key, r.user = e.key, e.owner.id
	return r
}

// room is a LiveKit room with at least one job.
type room struct {
	place
	name     sfu.Room
	jobs     []*entry
	occupied int // jobs that occupy it
}

// user is somebody with at least one job.
type user struct {
	id     matrix.UserID
	jobs   int
	weight leave.Weight // of all of these
	server *server
}

// server is a homeserver with at least one user.
type server struct {
	users  int
	jobs   int          // of all of these
	weight leave.Weight // of all their jobs
}

func (r *room) add(e *entry) {
	e.room, e.seat = r, len(r.jobs)
	r.jobs = append(r.jobs, e)
}

func (r *room) remove(e *entry) {
	last := len(r.jobs) - 1
	r.jobs[e.seat] = r.jobs[last]
	r.jobs[e.seat].seat = e.seat
	r.jobs[last] = nil
	r.jobs = r.jobs[:last]
}

// occupies is [leave.Job.Occupies].
func (r *record) occupies() bool {
	return leave.Job{State: r.state.name(), RoomSeen: instant(r.roomSeen)}.Occupies()
}
