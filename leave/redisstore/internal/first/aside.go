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
	// asideTime is when a record that is no job is looked at again: another
	// version of ours may understand it, or somebody has mended it.
	asideTime = time.Minute
	// keepTime is how long one is kept that has not changed: by then every
	// delayed event has been sent or is restarted by somebody who understands
	// it, and has written it anew.
	keepTime = leave.MaxDelay + time.Hour
	// mostAside is how many are known by name; one more has all forgotten, and
	// named again.
	mostAside = 1000
)

// aside knows which records this process has found that are no jobs. The zero
// value is ready.
type aside struct {
	mu      sync.Mutex
	records map[string]unreadable // by field
	found   int                   // since the start
}

// unreadable is a record that is no job.
type unreadable struct {
	sum   [sha256.Size]byte // of what is stored, but for its version and lease
	since time.Time
}

// note takes a record down and reports whether it is a new one, and since when
// it has been as it is.
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

// SetAside returns how many records this process has found that are no jobs.
func (s *Store) SetAside() int {
	s.aside.mu.Lock()
	defer s.aside.mu.Unlock()
	return s.aside.found
}

// stored is a record with its place.
type stored struct{ field, value string }

// noJob is a record that is no job. Old says that it has been as it is for long
// enough to be removed.
type noJob struct {
	stored
	old bool
}

// bad is told why a record is no job, and names it once.
func (s *Store) bad(r stored, err error) noJob {
	now := s.clock.ours.Now()
	isNew, since := s.aside.note(r, now)
	old := now.Sub(since) >= keepTime
	switch {
	case isNew:
		s.log.Error("first: what is stored is no job; it is set aside, and removed if it stays as it is",
			"key", s.keys[jobsKey], "field", fmt.Sprintf("%.200q", r.field), "after", keepTime, "err", err)
	case old:
		s.log.Warn("first: what was no job is removed", "key", s.keys[jobsKey], "field", fmt.Sprintf("%.200q", r.field))
	}
	return noJob{r, old}
}

// setAside has records that were claimed and are no jobs not be claimed for a
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
		_, _ = s.call(ctx, asideScript, args...) // else they are claimed again when their leases end
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
