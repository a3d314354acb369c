package leave

import (
	"encoding/json"
	"errors"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// record is a job as stores write it. Times are milliseconds since 1970.
type record struct {
	Room            sfu.Room     `json:"room"`
	Identity        sfu.Identity `json:"identity"`
	User            string       `json:"user"`
	DelayID         string       `json:"delay_id"`
	Delay           int64        `json:"delay"`
	AcceptedAt      int64        `json:"accepted_at"`
	State           State        `json:"state"`
	Since           int64        `json:"since"`
	Session         string       `json:"session,omitempty"`
	LeftSession     string       `json:"left_session,omitempty"`
	ClearLeave      bool         `json:"clear_leave,omitempty"`
	Deadline        int64        `json:"deadline"`
	Restarted       int64        `json:"restarted"`
	UnansweredSince int64        `json:"silent_since,omitempty"`
	Refused         int64        `json:"refused,omitempty"`
	RoomSeen        int64        `json:"room_seen,omitempty"`
	RoomLost        bool         `json:"room_lost,omitempty"`
	Unrecorded      bool         `json:"unrecorded,omitempty"`
	NextRestart     int64        `json:"next_restart"`
	NextLook        int64        `json:"next_look"`
	Restarts        int          `json:"restarts,omitempty"`
	Looks           int          `json:"looks,omitempty"`
	Sends           int          `json:"sends,omitempty"`
	NextCancel      int64        `json:"next_cancel,omitempty"`
	Cancels         int          `json:"cancels,omitempty"`
	Replaces        []string     `json:"replaces,omitempty"`
	Version         uint64       `json:"version"`
	Holder          string       `json:"holder,omitempty"`
	Until           int64        `json:"until,omitempty"`
}

// MarshalJSON writes the form that stores keep.
func (j Job) MarshalJSON() ([]byte, error) {
	r := record{
		Room: j.Room, Identity: j.Identity, User: j.User.String(), DelayID: j.DelayID.String(),
		Delay: j.Delay.Milliseconds(), AcceptedAt: millis(j.AcceptedAt),
		State: j.State, Since: millis(j.Since),
		Session: j.Session, LeftSession: j.LeftSession, ClearLeave: j.ClearLeave,
		Deadline: millis(j.Deadline), Restarted: millis(j.Restarted), UnansweredSince: millis(j.UnansweredSince), Refused: millis(j.Refused),
		NextRestart: millis(j.NextRestart), NextLook: millis(j.NextLook),
		Restarts: j.Restarts, Looks: j.Looks, Sends: j.Sends,
		RoomSeen: millis(j.RoomSeen), RoomLost: j.RoomLost, Unrecorded: j.Unrecorded, NextCancel: millis(j.NextCancel), Cancels: j.Cancels,
		Version: j.Version, Holder: j.Lease.Holder, Until: millis(j.Lease.Until),
	}
	for _, id := range j.Replaces {
		r.Replaces = append(r.Replaces, id.String())
	}
	return json.Marshal(r)
}

// UnmarshalJSON reads the form that stores keep. What cannot be a job, because
// of a value that none ever has, is a *[RecordError].
func (j *Job) UnmarshalJSON(b []byte) error {
	var r record
	err := json.Unmarshal(b, &r)
	if err == nil {
		err = r.check()
	}
	if err == nil {
		*j, err = r.job()
	}
	if err != nil {
		return &RecordError{Key{r.Room, r.Identity}, err}
	}
	return nil
}

// errDelayID does not tell the id, which is as good as a password.
var errDelayID = errors.New("its delay id, or one that it replaces, is none")

// job returns what r holds; every number in it is in its range.
func (r record) job() (Job, error) {
	user, err := matrix.ParseUserID(r.User)
	if err != nil {
		return Job{}, err
	}
	id, err := matrix.ParseDelayID(r.DelayID)
	if err != nil {
		return Job{}, errDelayID
	}
	j := Job{
		Key: Key{r.Room, r.Identity}, User: user, DelayID: id,
		Delay: time.Duration(r.Delay) * time.Millisecond, AcceptedAt: instant(r.AcceptedAt),
		State: r.State, Since: instant(r.Since),
		Session: r.Session, LeftSession: r.LeftSession, ClearLeave: r.ClearLeave,
		Deadline: instant(r.Deadline), Restarted: instant(r.Restarted), UnansweredSince: instant(r.UnansweredSince), Refused: instant(r.Refused),
		NextRestart: instant(r.NextRestart), NextLook: instant(r.NextLook),
		Restarts: r.Restarts, Looks: r.Looks, Sends: r.Sends,
		RoomSeen: instant(r.RoomSeen), RoomLost: r.RoomLost, Unrecorded: r.Unrecorded, NextCancel: instant(r.NextCancel), Cancels: r.Cancels,
		Version: r.Version, Lease: Lease{r.Holder, instant(r.Until)},
	}
	for _, text := range r.Replaces {
		id, err := matrix.ParseDelayID(text)
		if err != nil {
			return Job{}, errDelayID
		}
		j.Replaces = append(j.Replaces, id)
	}
	return j, nil
}

// millis and instant keep the zero time zero. A time before 1970, which only a
// clock that was set there can show, becomes the first one after.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(t.UnixMilli(), 1), latest-1)
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
