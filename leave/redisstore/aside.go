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
	// asideTime is how long claims of jobs skip an invalid record that a claim has
	// found. Then a claim reads the record again: somebody may have mended it, or a
	// newer version of the program may understand it.
	asideTime = time.Minute
	// keepTime is how long an invalid record is kept if it does not change. At the end of
	// this time, the record is no longer needed: nobody has restarted the job's delayed
	// event, so the homeserver has sent it. A process that had restarted the event would
	// also have written the record.
	keepTime = leave.MaxDelay + time.Hour
	// mostAside is how many invalid records a process remembers. If it finds one more,
	// it forgets all that it has remembered. It logs a forgotten record a second time if
	// it finds the record again.
	mostAside = 1000
)

// aside remembers the invalid records that this process has found. The zero value is
// ready to use.
type aside struct {
	mu      sync.Mutex
	records map[place]unreadable
	found   int // how many invalid records the process has found since its start
}

// unreadable describes an invalid record.
type unreadable struct {
	sum   [sha256.Size]byte // the hash of the record without its version and lease
	since time.Time
}

// note remembers the invalid record r. isNew reports whether note sees this record,
// with this content, for the first time. The result since is when note first saw it.
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

// SetAside returns how many invalid records this process has found since its start.
func (s *Store) SetAside() int {
	s.aside.mu.Lock()
	defer s.aside.mu.Unlock()
	return s.aside.found
}

// noJob is an invalid record. The field old says that the record has not changed for
// keepTime, so the store must remove it.
type noJob struct {
	stored
	old bool
}

// bad returns the invalid record r as a noJob. It logs err, which says why the record
// is invalid, unless it has already logged a record with the same content.
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

// setAside puts off the given invalid records, so that no claim reads them for
// asideTime. It removes the records whose field old is true.
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
		_, _ = s.callOn(ctx, asideScript, parts, args...) // the error may be ignored: when the leases of the records end, claims find the records again
	}
}
