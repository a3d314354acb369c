package first

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

const (
	// asideTime is how long an invalid record is not read. After that another
	// version of the program may understand it, or somebody may have mended it.
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
	records map[string]unreadable // the invalid records, by their field in Redis
	found   int                   // how many invalid records were found since the start
}

// unreadable is an invalid record.
type unreadable struct {
	sum   [sha256.Size]byte // the hash of the record without its version and lease
	since time.Time
}

// note records an invalid record. It reports whether it is new, and since when
// it is unchanged.
func (a *aside) note(r stored, now time.Time) (isNew bool, since time.Time) {
	head, body, found := strings.Cut(r.value, "\n")
	if !found {
		body = head
	}
	sum := sha256.Sum256([]byte(body))
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.records[r.field]; ok && known.sum == sum {
		return false, known.since
	}
	if a.records == nil || len(a.records) >= mostAside {
		a.records = map[string]unreadable{}
	}
	a.records[r.field] = unreadable{sum, now}
	a.found++
	return true, now
}

// SetAside returns how many invalid records this process has found.
func (s *Store) SetAside() int {
	s.aside.mu.Lock()
	defer s.aside.mu.Unlock()
	return s.aside.found
}

// stored is a record, and the field under which Redis has it.
type stored struct{ field, value string }

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
		s.log.Error("first: a stored record is not a valid job; it is ignored, and removed if it does not change",
			"key", s.keys[jobsKey], "field", fmt.Sprintf("%.200q", r.field), "after", keepTime, "err", err)
	case old:
		s.log.Warn("first: a record that was not a valid job was removed", "key", s.keys[jobsKey], "field", fmt.Sprintf("%.200q", r.field))
	}
	return noJob{r, old}
}

// setAside makes sure that the claimed invalid records are not claimed for a
// while, or removes them.
func (s *Store) setAside(ctx context.Context, now time.Time, records []noJob) {
	var args []any
	for _, r := range records {
		due := strconv.FormatInt(s.there(now)+asideTime.Milliseconds(), 10)
		if r.old {
			due = ""
		}
		args = append(args, r.field, roomOf(r.field), version(r.value), due)
	}
	if len(args) > 0 {
		_, _ = s.call(ctx, asideScript, args...) // after an error, the records can be claimed again when their leases end
	}
}

// roomOf returns the room in a field, "" if it has none.
func roomOf(field string) string {
	length, rest, _ := strings.Cut(field, ":")
	if n, err := strconv.Atoi(length); err == nil && n >= 0 && n < len(rest) && rest[n] == ':' {
		return rest[:n]
	}
	return ""
}
