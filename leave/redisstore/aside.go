package redisstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

const (
	// asideTime is the time for which claims leave out an invalid record after they
	// have found it. Then they try it again, because somebody may have mended it,
	// or a version of this program that understands it may be running.
	asideTime = time.Minute
	// keepTime is how long an unchanged invalid record is kept. By then either the
	// homeserver has sent the job's delayed event, or a process that understands
	// the record has restarted the event and has written the record again.
	keepTime = leave.MaxDelay + time.Hour
	// mostAside is the most invalid records that a process remembers. If it finds
	// one more, it forgets all others. If it then finds one of the others, it logs
	// that record again.
	mostAside = 1000
)

// aside remembers the invalid records that this process found. The zero value
// is ready.
type aside struct {
	mu      sync.Mutex
	records map[place]unreadable
	found   int // how many invalid records were found since the start
}

// unreadable describes an invalid record that was found.
type unreadable struct {
	sum   [sha256.Size]byte // the hash of the record without its version and lease
	since time.Time
}

// note remembers the invalid record r. isNew is true if note has not seen this
// record with this content before. since is when note first saw it.
func (a *aside) note(r stored, now time.Time) (isNew bool, since time.Time) {
	sum := sha256.Sum256([]byte(r.body()))
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.records[r.at()]; ok && known.sum == sum {
		return false, known.since
	}
	if a.records == nil || len(a.records) >= mostAside {
		a.records = map[place]unreadable{}
	}
	a.records[r.at()] = unreadable{sum, now}
	a.found++
	return true, now
}

// SetAside returns how many invalid records this process has found.
func (s *Store) SetAside() int {
	s.aside.mu.Lock()
	defer s.aside.mu.Unlock()
	return s.aside.found
}

// noJob is an invalid record. old is true if the record has not changed for
// keepTime, so that it is to be removed.
type noJob struct {
	stored
	old bool
}

// bad logs why a record is invalid, once for each record, and returns the record.
func (s *Store) bad(r stored, err error) noJob {
	now := s.clock.ours.Now()
	isNew, since := s.aside.note(r, now)
	old := now.Sub(since) >= keepTime
	switch {
	case isNew:
		s.log.Error("redisstore: a stored record is not a valid job; it is ignored, and removed if it does not change",
			"key", s.keys[r.form.key()], "field", fmt.Sprintf("%.200q", r.place), "after", keepTime, "err", err)
	case old:
		s.log.Warn("redisstore: a record that was not a valid job was removed", "key", s.keys[r.form.key()], "field", fmt.Sprintf("%.200q", r.place))
	}
	return noJob{r, old}
}

// setAside makes claims leave out these invalid records for asideTime. It removes
// the records that are old.
func (s *Store) setAside(ctx context.Context, now time.Time, records []noJob) {
	var parts []int
	var args []any
	for _, r := range records {
		due := strconv.FormatInt(s.there(now)+asideTime.Milliseconds(), 10)
		if r.old {
			due = ""
		}
		room, roomID := r.room()
		n := partOf(roomID)
		parts = append(parts, n)
		args = append(args, r.form.String(), r.place, n, room, roomID, r.version(), due)
	}
	if len(args) > 0 {
		_, _ = s.callOn(ctx, asideScript, parts, args...) // after an error, the records can be claimed again when their leases end
	}
}
