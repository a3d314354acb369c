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
	// asideTime is how long an invalid record is not read. After that another
	// version of this program may understand it, or somebody may have mended it.
	asideTime = time.Minute
	// keepTime is how long an unchanged invalid record is kept. After that time
	// its delayed event was sent; or a process that understands the record has
	// restarted the event, and so has written the record again.
	keepTime = leave.MaxDelay + time.Hour
	// mostAside is the most invalid records that a process remembers. When one
	// more is found, the process forgets all others, and logs them again when it
	// finds them again.
	mostAside = 1000
)

// aside remembers the invalid records that this process found. The zero value
// is ready.
type aside struct {
	mu      sync.Mutex
	records map[place]unreadable
	found   int // how many invalid records were found since the start
}

// unreadable is an invalid record.
type unreadable struct {
	sum   [sha256.Size]byte // the hash of the record without its version and lease
	since time.Time
}

// note records an invalid record. It reports whether it is new, and since when
// it is unchanged.
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

// noJob is an invalid record. old says that it has been unchanged for long
// enough to be removed.
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

// setAside makes sure that the claimed invalid records are not claimed for a
// while, or removes them.
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
