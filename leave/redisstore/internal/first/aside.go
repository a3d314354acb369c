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
	// asideTime is how long claims skip an invalid record. After this time, a claim
	// tries to read the record again. By then, somebody may have mended the record, or
	// a newer version of the program, which understands the record, may run.
	asideTime = time.Minute
	// keepTime is how long an invalid record is kept if it does not change. In this
	// time, the homeserver sends the job's delayed event, unless a process that
	// understands the record restarts the event. Such a process changes the record.
	keepTime = leave.MaxDelay + time.Hour
	// mostAside is how many invalid records a process remembers. If it finds one more,
	// it forgets all earlier ones. If it then finds one of these again, it logs that
	// record again.
	mostAside = 1000
)

// aside remembers the invalid records that this process has found. The zero value is
// ready to use.
type aside struct {
	mu      sync.Mutex
	records map[string]unreadable // the invalid records; the key is the record's field in Redis
	found   int                   // how many invalid records the process has found since its start
}

// unreadable describes an invalid record.
type unreadable struct {
	sum   [sha256.Size]byte // the hash of the record without its version and lease
	since time.Time
}

// note remembers the invalid record r. isNew reports whether note sees this record,
// with this content, for the first time. The result since is when note first saw it.
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

// SetAside returns how many invalid records this process has found since its start.
func (s *Store) SetAside() int {
	s.aside.mu.Lock()
	defer s.aside.mu.Unlock()
	return s.aside.found
}

// stored is a record of a job, with the record's field in the hash of Redis.
type stored struct{ field, value string }

// noJob is an invalid record. The field old says that the record has not changed for
// keepTime, so the store must remove it.
type noJob struct {
	stored
	old bool
}

// bad returns the invalid record r as a noJob. It also logs why the record is invalid,
// but only once while the record's content stays the same.
func (s *Store) bad(r stored, err error) noJob {
	now := s.clock.ours.Now()
	isNew, since := s.aside.note(r, now)
	old := now.Sub(since) >= keepTime
	switch {
	case isNew:
		s.log.Error("redisstore/first: a stored record is not a valid job; it is ignored, and removed if it does not change",
			"key", s.keys[jobsKey], "field", fmt.Sprintf("%.200q", r.field), "after", keepTime, "err", err)
	case old:
		s.log.Warn("redisstore/first: a record that was not a valid job was removed", "key", s.keys[jobsKey], "field", fmt.Sprintf("%.200q", r.field))
	}
	return noJob{r, old}
}

// setAside puts off the given invalid records, so that no claim reads them for
// asideTime. It removes those of them whose field old is true.
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
		_, _ = s.call(ctx, asideScript, args...) // the error may be ignored: a later claim finds the records again
	}
}

// roomOf returns the room that the name of a field contains. It returns "" if the name
// contains no room.
func roomOf(field string) string {
	length, rest, _ := strings.Cut(field, ":")
	if n, err := strconv.Atoi(length); err == nil && n >= 0 && n < len(rest) && rest[n] == ':' {
		return rest[:n]
	}
	return ""
}
