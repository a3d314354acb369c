package leave

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Key identifies a participant by the LiveKit room and the identity in that room.
// There is at most one job for a key.
type Key struct {
	Room     sfu.Room     `record:"room,always"`
	Identity sfu.Identity `record:"identity,always"`
}

// State is the stage of a job; see the drawing in the package's comment.
type State string

// The states. A job that has ended is not stored any more.
const (
	Waiting   State = "waiting"   // the participant has not been seen yet
	Connected State = "connected" // the participant is in the room
	Leaving   State = "leaving"   // the participant seems to be gone: when the time to come back is over, the keeper asks the SFU
	Sending   State = "sending"   // the participant is gone: the keeper sends the leave, and asks the SFU before each try
	// Cancelling means that the job's own leave has ended, but some leaves that it
	// replaced have not.
	Cancelling State = "cancelling"
)

// Job is one delegated leave. It is a value: its methods return the changed job.
// All times are by the clock of this process, which does not jump (package clock).
//
// The tag of a field is its name in a record. A field with "always" is always in
// the record. Any other field is in the record only if it is not zero. A time with
// "past" is the time of something that has happened. Everything that stores jobs
// uses the tags, so a new field is added only here.
type Job struct {
	Key
	User    matrix.UserID  `record:"user,always"` // the owner of the leave; the owner's homeserver holds the delayed event
	DelayID matrix.DelayID `record:"delay_id,always"`
	Delay   time.Duration  `record:"delay,always"` // the homeserver sends the event when this time has passed since the last restart
	// AcceptedAt is when the service accepted the delegation. Of two delegations of
	// one key, the later one counts.
	AcceptedAt time.Time `record:"accepted_at,always,past"`

	State State     `record:"state,always"`
	Since time.Time `record:"since,always,past"` // when the job entered its state
	// Session is the last participant.sid that the service saw, "" if it saw none.
	// LeftSession is the session that has left. ClearLeave says that the client
	// itself said that it leaves, so that there is no doubt.
	Session     string `record:"session"`
	LeftSession string `record:"left_session"`
	ClearLeave  bool   `record:"clear_leave"`
	// What happens at Deadline depends on the state. A Waiting job gives up. The
	// grace of a Leaving job ends. For a Cancelling job, every leave that it must
	// cancel has fired by then.
	Deadline time.Time `record:"deadline,always"`

	// Restarted is when the delay last began. The homeserver sends the event when
	// Delay has passed since then.
	Restarted time.Time `record:"restarted,always,past"`
	// RoomSeen is when the room was last known to exist. Either the participant was
	// in the room, or the room was created for the participant. A room created
	// later is another room. RoomLost says that the SFU has lost the participant's
	// room, and that the participant got time to come back.
	RoomSeen time.Time `record:"room_seen,past"`
	RoomLost bool      `record:"room_lost"`
	// Refused is when the SFU last said that no node holds the session. It is zero
	// if a node was found later. In the state Connected, it is when the SFU first
	// said that no node holds the session.
	Refused time.Time `record:"refused,past"`
	// Unrecorded says that a node held the participant's session while the SFU
	// had no record of it. Then a missing record proves nothing.
	Unrecorded bool `record:"unrecorded"`
	// UnansweredSince is when the SFU stopped saying whether the participant is
	// there. It is zero if the SFU's last answer said yes or no.
	UnansweredSince time.Time `record:"silent_since,past"`

	// NextRestart, NextLook and NextCancel are when the next restart, look and
	// cancel are due. A look is a question to the SFU about the participant. In the
	// state Sending, the keeper also sends the leave at NextLook.
	NextRestart time.Time `record:"next_restart,always"`
	NextLook    time.Time `record:"next_look,always"`
	NextCancel  time.Time `record:"next_cancel"`
	Restarts    int       `record:"restarts"` // how many restarts in a row have failed
	Looks       int       `record:"looks"`    // how many questions to the SFU in a row led to no decision
	Sends       int       `record:"sends"`    // how many sends in a row have failed
	Cancels     int       `record:"cancels"`  // how many cancels in a row have failed

	// Replaces are the earlier delegations of the key that the keeper must still
	// cancel. If one of them fires, the homeserver ends the present membership.
	Replaces []matrix.DelayID `record:"replaces"`

	// Version counts the writes to the store. A write must name the version that
	// is stored.
	Version uint64 `record:"version,always"`
	// Lease says which keeper works on the job, and until when. It is zero if no
	// keeper works on the job.
	Lease Lease
}

// Lease is the right of a keeper to work on a job.
type Lease struct {
	Holder string    `record:"holder"`
	Until  time.Time `record:"until"`
}

// New returns the job of a delegation that is accepted now. The keeper asks the SFU
// at once. It restarts the delay when it first sees the participant, or else after
// [Period].
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

// After reports whether j was delegated after other. If the times are equal, it
// compares the delay ids, so that all replicas agree.
func (j Job) After(other Job) bool {
	if !j.AcceptedAt.Equal(other.AcceptedAt) {
		return j.AcceptedAt.After(other.AcceptedAt)
	}
	return j.DelayID.String() > other.DelayID.String()
}

// Occupies reports whether the job's participant is in the room, was there just
// now, or may soon be back. For such a job the SFU must have the room.
func (j Job) Occupies() bool {
	return j.State == Connected || j.State == Leaving || j.State == Waiting && !j.RoomSeen.IsZero()
}
