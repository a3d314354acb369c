package leave

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Key is whose leave it is: a participant in a LiveKit room. There is at most
// one job for a key.
type Key struct {
	Room     sfu.Room     `record:"room,always"`
	Identity sfu.Identity `record:"identity,always"`
}

// State is where a job stands; see the drawing in the package's comment.
type State string

// The states. A job that has ended is no longer stored.
const (
	Waiting   State = "waiting"   // the participant has not been seen yet
	Connected State = "connected" // the participant is in the room
	Leaving   State = "leaving"   // it seems to be gone: a grace runs, then the SFU is asked
	Sending   State = "sending"   // it is gone: the leave is sent, the SFU asked before each try
	// Cancelling: the job has ended, but not what it replaced.
	Cancelling State = "cancelling"
)

// Job is one delegated leave. It is a value: the methods return what it
// becomes. Every time is by the clock of this process, which does not jump
// (package clock).
//
// The tag of a field is its name in a record. A field is "always" there, or only
// when it is not zero; a time that is "past" tells what has happened. Whatever
// keeps jobs goes by the tags, so a field is added here and nowhere else.
type Job struct {
	Key
	User    matrix.UserID  `record:"user,always"` // the owner; its server holds the delayed event
	DelayID matrix.DelayID `record:"delay_id,always"`
	Delay   time.Duration  `record:"delay,always"` // after which the homeserver sends it, unless restarted
	// AcceptedAt orders delegations of one key: the later one counts.
	AcceptedAt time.Time `record:"accepted_at,always,past"`

	State State     `record:"state,always"`
	Since time.Time `record:"since,always,past"` // when the state was entered
	// Session is the participant.sid seen last, "" before any was. LeftSession
	// is the one known to have left, and ClearLeave that it did so for a
	// reason that leaves no doubt.
	Session     string `record:"session"`
	LeftSession string `record:"left_session"`
	ClearLeave  bool   `record:"clear_leave"`
	// Deadline is when a Waiting job gives up, when the grace of a Leaving one
	// is over, and when everything a Cancelling one could cancel has fired.
	Deadline time.Time `record:"deadline,always"`

	// Restarted is when the delay last began anew: the homeserver sends the
	// event Delay after it.
	Restarted time.Time `record:"restarted,always,past"`
	// RoomSeen is when the room was last known to be there, with the
	// participant in it or created for it. A room that was made later is not
	// the one that it was in. RoomLost says that the SFU has lost the room since
	// the participant was there, and that it has had its time to come back.
	RoomSeen time.Time `record:"room_seen,past"`
	RoomLost bool      `record:"room_lost"`
	// Refused is when the SFU last said that no node has the session, zero if one
	// was found since. While Connected it is the first of such answers in a row.
	Refused time.Time `record:"refused,past"`
	// Unrecorded says that a node had the participant while the SFU had no record
	// of it: that it is not on record says nothing then.
	Unrecorded bool `record:"unrecorded"`
	// UnansweredSince is since when the SFU has not answered whether the
	// participant is there, the zero time when it said so last time.
	UnansweredSince time.Time `record:"silent_since,past"`

	// NextRestart, NextLook (the SFU is asked, and a leave sent) and NextCancel
	// are when these things are due.
	NextRestart time.Time `record:"next_restart,always"`
	NextLook    time.Time `record:"next_look,always"`
	NextCancel  time.Time `record:"next_cancel"`
	Restarts    int       `record:"restarts"` // failed restarts in a row
	Looks       int       `record:"looks"`    // looks in a row that settled nothing
	Sends       int       `record:"sends"`    // failed sends in a row
	Cancels     int       `record:"cancels"`  // failed cancels in a row

	// Replaces are earlier delegations of the key that are still to be
	// cancelled: each would empty the live member when it fires.
	Replaces []matrix.DelayID `record:"replaces"`

	// Version counts the writes to the store; a write must know the last.
	Version uint64 `record:"version,always"`
	// Lease says who works on it, until when; the zero value says nobody.
	Lease Lease
}

// Lease lends a job to a keeper.
type Lease struct {
	Holder string    `record:"holder"`
	Until  time.Time `record:"until"`
}

// New returns the job of a delegation accepted now.
func New(key Key, user matrix.UserID, id matrix.DelayID, delay time.Duration, now time.Time) Job {
	j := Job{
		Key: key, User: user, DelayID: id, Delay: delay,
		AcceptedAt: now, Restarted: now,
		State: Waiting, Since: now,
		Deadline: now.Add(min(maxWait, delay)),
		NextLook: now,
	}
	j.NextRestart = now.Add(Period(delay))
	return j
}

// After reports whether j was delegated after other: by time, then by id, so
// that all agree.
func (j Job) After(other Job) bool {
	if !j.AcceptedAt.Equal(other.AcceptedAt) {
		return j.AcceptedAt.After(other.AcceptedAt)
	}
	return j.DelayID.String() > other.DelayID.String()
}

// Occupies reports whether the job's participant is, was just now, or is about
// to be back in its room, which the SFU has to know then.
func (j Job) Occupies() bool {
	return j.State == Connected || j.State == Leaving || j.State == Waiting && !j.RoomSeen.IsZero()
}
