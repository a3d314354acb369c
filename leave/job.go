package leave

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Key identifies a participant: by the LiveKit room, and by the participant's identity
// in that room. There is at most one job for a key.
type Key struct {
	Room     sfu.Room     `record:"room,always"`
	Identity sfu.Identity `record:"identity,always"`
}

// State is the stage of a job. The drawing in the package's comment shows all states.
type State string

// These are the states. A store does not keep jobs that have ended.
const (
	Waiting   State = "waiting"   // the participant has not come yet
	Connected State = "connected" // the participant is in the room
	Leaving   State = "leaving"   // the participant seems to be gone; when the time to come back is over, the keeper asks the SFU
	Sending   State = "sending"   // the participant is gone; the keeper sends the leave, and asks the SFU before each try
	// Cancelling means that the job's own leave has ended. The keeper must still cancel
	// earlier leaves of the participant, which this leave has replaced.
	Cancelling State = "cancelling"
)

// Job is one delegated leave. It is a value: its methods return the changed job. All
// times are by the clock of this process, which does not jump (package clock).
//
// The tag of a field gives its name in a record. A record always contains a field with
// "always". It contains any other field only if the field is not zero. A time with
// "past" is the time of a past event, so [Job.NotAhead] corrects it if it lies in the
// future. Stores read the tags, so a new field must be added only here.
type Job struct {
	Key
	User    matrix.UserID  `record:"user,always"` // the owner of the leave; the delayed event is at this user's homeserver
	DelayID matrix.DelayID `record:"delay_id,always"`
	Delay   time.Duration  `record:"delay,always"` // how long after the last restart the homeserver sends the event
	// AcceptedAt is when the service accepted the delegation. Of two delegations of one
	// key, the later one replaces the earlier one ([Job.After]).
	AcceptedAt time.Time `record:"accepted_at,always,past"`

	State State     `record:"state,always"`
	Since time.Time `record:"since,always,past"` // when the job entered its state
	// Session is the last participant.sid that the service saw. It is "" if the service
	// saw none. LeftSession is the session that has left. ClearLeave says that the
	// client itself told the SFU that it leaves, so it will not come back.
	Session     string `record:"session"`
	LeftSession string `record:"left_session"`
	ClearLeave  bool   `record:"clear_leave"`
	// Deadline has a meaning that depends on the state. At Deadline, a Waiting job gives
	// up, and the grace period of a Leaving job ends. A Cancelling job has leaves to
	// cancel. At Deadline, the delays of all of them have ended, so the homeserver has
	// sent those that were not cancelled.
	Deadline time.Time `record:"deadline,always"`

	// Restarted is when the delay last began. The homeserver sends the event when Delay
	// has passed since then.
	Restarted time.Time `record:"restarted,always,past"`
	// RoomSeen is when the room last existed for certain. At that time, the participant
	// was in the room, or the room was created for the participant. A room that was
	// created later is another room. RoomLost says that the SFU has lost the
	// participant's room, and that the participant got time to come back.
	RoomSeen time.Time `record:"room_seen,past"`
	RoomLost bool      `record:"room_lost"`
	// Refused is when the SFU last said that no node holds the session. In the state
	// Connected, it is when the SFU first said so. It is zero if a node was found later.
	Refused time.Time `record:"refused,past"`
	// Unrecorded says that a node held the participant's session while the SFU had no
	// record of the session. Then a missing record does not prove that the participant
	// is gone.
	Unrecorded bool `record:"unrecorded"`
	// UnansweredSince is since when the SFU has not said whether the participant is
	// there. It is zero if the SFU's last answer was clear.
	UnansweredSince time.Time `record:"silent_since,past"`

	// NextRestart, NextLook and NextCancel are the times at which the next restart, the
	// next look and the next cancel are due. A look is a question to the SFU about the
	// participant. In the state Sending, the keeper also sends the leave at the time
	// NextLook.
	NextRestart time.Time `record:"next_restart,always"`
	NextLook    time.Time `record:"next_look,always"`
	NextCancel  time.Time `record:"next_cancel"`
	Restarts    int       `record:"restarts"` // how many restarts in a row have failed
	Looks       int       `record:"looks"`    // how many looks in a row have not found the participant in the room
	Sends       int       `record:"sends"`    // how many sends in a row have failed
	Cancels     int       `record:"cancels"`  // how many cancels in a row have failed

	// Replaces are the leaves that were delegated earlier for the same key, and that the
	// keeper must still cancel. If the homeserver sends one of them, it ends the present
	// membership.
	Replaces []matrix.DelayID `record:"replaces"`

	// Version counts the writes of the job to the store. A writer must name the version
	// that the store has.
	Version uint64 `record:"version,always"`
	// Lease says which keeper is working on the job, and until when. It is zero if no
	// keeper is working on the job.
	Lease Lease
}

// Lease is the right of a keeper to work on a job.
type Lease struct {
	Holder string    `record:"holder"`
	Until  time.Time `record:"until"`
}

// New returns the job of a delegation that the service accepts at now. The keeper asks
// the SFU immediately. It restarts the delay when it first sees the participant, or
// after [Period] if it has not seen the participant by then.
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

// After reports whether j was delegated after other. If both times are equal, After
// compares the delay ids, so that all replicas come to the same result.
func (j Job) After(other Job) bool {
	if !j.AcceptedAt.Equal(other.AcceptedAt) {
		return j.AcceptedAt.After(other.AcceptedAt)
	}
	return j.DelayID.String() > other.DelayID.String()
}

// Occupies reports whether the SFU must have a room for the job. This is so if the
// job's participant is in the room, has just been there, or may soon be back.
func (j Job) Occupies() bool {
	return j.State == Connected || j.State == Leaving || j.State == Waiting && !j.RoomSeen.IsZero()
}
