package first

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// A job is stored as one line that scripts read, and the job without its lease
// and version, which only Go reads:
//
//	<version> <lease ends> <lease lasts> <holder>\n<JSON>
//
// Times are in milliseconds. A script puts the version in front.

// field returns the name of a job in the hash and the sorted sets. The room comes
// first, so that the jobs of a room are adjacent. The length of the room's name
// comes before the name, so that two keys never have the same field.
func field(key leave.Key) string {
	return roomPrefix(key.Room) + string(key.Identity)
}

func roomPrefix(room sfu.Room) string {
	return strconv.Itoa(len(room)) + ":" + string(room) + ":"
}

// encode returns job as it is stored, without its version.
func encode(job leave.Job) (string, error) {
	until, holder := millis(job.Lease.Until), job.Lease.Holder
	if strings.Contains(holder, "\n") {
		return "", fmt.Errorf("first: the holder %q has a line break", holder)
	}
	job.Lease, job.Version = leave.Lease{}, 0
	body, err := json.Marshal(job)
	if err != nil {
		return "", fmt.Errorf("first: encoding a job: %w", err)
	}
	lasts := max(job.LeaseTime().Milliseconds(), 1)
	return fmt.Sprintf("%d %d %s\n%s", until, lasts, holder, body), nil
}

// line matches the first line of a record, which scripts read. It has the version,
// the end and the length of the lease, and the holder.
var line = regexp.MustCompile(`^(\d{1,16}) (\d{1,16}) \d{1,5} ([^\n]*)\n`)

// head is the first line of a record, after parsing.
type head struct {
	digits  string // the version as it is stored
	version uint64 // the version as a number
	ends    int64  // when the lease ends, in milliseconds
	holder  string
	length  int // the length of the line with its end
}

// mostNumber is larger than any version or time in milliseconds. Scripts can
// represent all whole numbers up to it, but not all larger ones.
const mostNumber = 1 << 53

// parseHead parses the first line, as the function parts in guard.lua does.
func parseHead(value string) (h head, ok bool) {
	parts := line.FindStringSubmatch(value)
	if parts == nil {
		return head{}, false
	}
	version, _ := strconv.ParseUint(parts[1], 10, 64) // cannot fail: at most 16 digits
	ends, _ := strconv.ParseInt(parts[2], 10, 64)
	if version >= mostNumber || ends >= mostNumber {
		return head{}, false
	}
	return head{parts[1], version, ends, parts[3], len(parts[0])}, true
}

// decode parses a stored job.
func decode(r stored) (leave.Job, error) {
	h, ok := parseHead(r.value)
	if !ok {
		return leave.Job{}, errors.New("the first line is not that of a record")
	}
	var job leave.Job
	if err := json.Unmarshal([]byte(r.value[h.length:]), &job); err != nil {
		return leave.Job{}, err
	}
	if field(job.Key) != r.field {
		return leave.Job{}, fmt.Errorf("the record is stored under another key than that of its job (%.80q in room %.80q)", job.Identity, job.Room)
	}
	job.Version, job.Lease = h.version, leave.Lease{Holder: h.holder}
	if h.ends != 0 {
		job.Lease.Until = time.UnixMilli(h.ends)
	}
	return job, nil
}

// version returns the version in the record value. A write states this version to
// say which record it expects.
func version(value string) string {
	if value == "" {
		return absent
	}
	if h, ok := parseHead(value); ok {
		return h.digits
	}
	return noVersion
}

// A write that expects no record has absent in place of a version. A write that
// expects a record without a valid version has noVersion there.
const (
	absent    = "0"
	noVersion = "?"
)

// dueAt returns the time, in milliseconds since 1970, from which a job can be
// claimed. At that time the job is due, and its lease has ended.
func dueAt(job leave.Job) int64 {
	return max(millis(job.Due()), millis(job.Lease.Until))
}

// account returns what a job adds to the counts, in the form that the write
// script reads.
func account(job leave.Job) string {
	occupies := 0
	if job.Occupies() {
		occupies = 1
	}
	return fmt.Sprintf("%d %s %d %s", occupies, job.State, leave.WeightOf(job.Delay), job.User)
}

// counters returns the names of the fields that hold the counts for user. There is
// a number of jobs for each state, for the user and for their homeserver. There is
// also a weight for the user and for the homeserver.
func counters(user matrix.UserID) []any {
	var fields []any
	for _, state := range leave.States() {
		fields = append(fields, "="+string(state))
	}
	server := ":" + user.Server().String()
	return append(fields, user.String(), "#"+server, server, "+"+user.String())
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
