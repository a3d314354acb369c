package leave

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// RecordError says that a stored record is no job.
type RecordError struct {
	Key Key // as far as it could be read
	Err error
}

// Error names the job, without its delay id.
func (e *RecordError) Error() string {
	return fmt.Sprintf("the record of %.80q in room %.80q is no job: %v", e.Key.Identity, e.Key.Room, e.Err)
}

// Unwrap returns why.
func (e *RecordError) Unwrap() error { return e.Err }

const (
	// latest is later than any time in a record, in milliseconds, and what no
	// version reaches: beyond it Redis' numbers have gaps.
	latest = 1 << 53
	// mostFailures is more than can fail in the life of a job.
	mostFailures = math.MaxInt32 / 2
	// longestText is what one webhook of the SFU could hold, in bytes.
	longestText = 64 << 10
)

// check returns why r is no job: stores are files and servers that others can
// write to, and one bad number would stop whoever works with it.
func (r record) check() error {
	return errors.Join(r.checkTexts(), r.checkNumbers(), r.checkTimes())
}

func (r record) checkTexts() error {
	switch {
	case r.Room == "" || r.Identity == "":
		return errors.New("it has no room or identity")
	case !slices.Contains(States(), r.State):
		return fmt.Errorf("there is no state %.40q", r.State)
	case len(r.Replaces) > maxReplaced:
		return fmt.Errorf("it replaces %d others, more than %d", len(r.Replaces), maxReplaced)
	case slices.Contains(r.Replaces, r.DelayID):
		return errors.New("it replaces itself")
	}
	for _, text := range []string{string(r.Room), string(r.Identity), r.Session, r.LeftSession, r.Holder} {
		if len(text) > longestText {
			return fmt.Errorf("a name in it has %d bytes, more than %d", len(text), longestText)
		}
	}
	return nil
}

func (r record) checkNumbers() error {
	if r.Delay < MinDelay.Milliseconds() || r.Delay > MaxDelay.Milliseconds() {
		return fmt.Errorf("a delay of %d ms is not between %v and %v", r.Delay, MinDelay, MaxDelay)
	}
	if r.Version >= latest {
		return fmt.Errorf("there is no version %d", r.Version)
	}
	for _, count := range [...]struct {
		name string
		n    int
	}{{"restarts", r.Restarts}, {"looks", r.Looks}, {"sends", r.Sends}, {"cancels", r.Cancels}} {
		if count.n < 0 || count.n > mostFailures {
			return fmt.Errorf("%s cannot be %d", count.name, count.n)
		}
	}
	return nil
}

func (r record) checkTimes() error {
	for _, at := range [...]struct {
		name  string
		ms    int64
		least int64 // 1 where there is always a time
	}{
		{"accepted_at", r.AcceptedAt, 1}, {"since", r.Since, 1}, {"deadline", r.Deadline, 1},
		{"restarted", r.Restarted, 1}, {"next_restart", r.NextRestart, 1}, {"next_look", r.NextLook, 1},
		{"silent_since", r.UnansweredSince, 0}, {"refused", r.Refused, 0}, {"room_seen", r.RoomSeen, 0}, {"next_cancel", r.NextCancel, 0}, {"until", r.Until, 0},
	} {
		if at.ms < at.least || at.ms >= latest {
			return fmt.Errorf("%s cannot be %d", at.name, at.ms)
		}
	}
	return nil
}
