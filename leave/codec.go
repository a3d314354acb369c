package leave

import (
	"encoding/json"
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
	RoomSeen        int64        `json:"room_seen,omitempty"`
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
		Deadline: millis(j.Deadline), Restarted: millis(j.Restarted), UnansweredSince: millis(j.UnansweredSince),
		NextRestart: millis(j.NextRestart), NextLook: millis(j.NextLook),
		Restarts: j.Restarts, Looks: j.Looks, Sends: j.Sends,
		RoomSeen: millis(j.RoomSeen), NextCancel: millis(j.NextCancel), Cancels: j.Cancels,
		Version: j.Version, Holder: j.Lease.Holder, Until: millis(j.Lease.Until),
	}
	for _, id := range j.Replaces {
		r.Replaces = append(r.Replaces, id.String())
	}
	return json.Marshal(r)
}

// UnmarshalJSON reads the form that stores keep; what is no job is an error.
func (j *Job) UnmarshalJSON(b []byte) error {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	user, err := matrix.ParseUserID(r.User)
	if err != nil {
		return err
	}
	id, err := matrix.ParseDelayID(r.DelayID)
	if err != nil {
		return err
	}
	*j = Job{
		Key: Key{r.Room, r.Identity}, User: user, DelayID: id,
		Delay: time.Duration(r.Delay) * time.Millisecond, AcceptedAt: instant(r.AcceptedAt),
		State: r.State, Since: instant(r.Since),
		Session: r.Session, LeftSession: r.LeftSession, ClearLeave: r.ClearLeave,
		Deadline: instant(r.Deadline), Restarted: instant(r.Restarted), UnansweredSince: instant(r.UnansweredSince),
		NextRestart: instant(r.NextRestart), NextLook: instant(r.NextLook),
		Restarts: r.Restarts, Looks: r.Looks, Sends: r.Sends,
		RoomSeen: instant(r.RoomSeen), NextCancel: instant(r.NextCancel), Cancels: r.Cancels,
		Version: r.Version, Lease: Lease{r.Holder, instant(r.Until)},
	}
	for _, text := range r.Replaces {
		id, err := matrix.ParseDelayID(text)
		if err != nil {
			return err
		}
		j.Replaces = append(j.Replaces, id)
	}
	return nil
}

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
