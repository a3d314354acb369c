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

// field names a job in the hash and the sorted sets: with the room first, so
// that the jobs of one stand together, and its length, so that none is
// mistaken for another.
func field(key leave.Key) string {
	return roomPrefix(key.Room) + string(key.Identity)
}

func roomPrefix(room sfu.Room) string {
	return strconv.Itoa(len(room)) + ":" + string(room) + ":"
}

// encode returns what is stored of job but its version.
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

// line is what scripts read: version, when the lease ends and what it lasts, the
// holder.
var line = regexp.MustCompile(`^(\d{1,16}) (\d{1,16}) \d{1,5} ([^\n]*)\n`)

// head is the first line of what is stored.
type head struct {
	digits  string // the version as it stands there …
	version uint64 // … and as a number
	ends    int64  // of the lease, milliseconds
	holder  string
	length  int // with its end
}

// mostNumber is more than any version or time in milliseconds: beyond it the
// numbers of scripts have gaps.
const mostNumber = 1 << 53

// parseHead reads the first line, as parts in guard.lua has it.
func parseHead(value string) (h head, ok bool) {
	parts := line.FindStringSubmatch(value)
	if parts == nil {
		return head{}, false
	}
	version, _ := strconv.ParseUint(parts[1], 10, 64) // digits, and not too many
	ends, _ := strconv.ParseInt(parts[2], 10, 64)
	if version >= mostNumber || ends >= mostNumber {
		return head{}, false
	}
	return head{parts[1], version, ends, parts[3], len(parts[0])}, true
}

// decode reads what is stored.
func decode(r stored) (leave.Job, error) {
	h, ok := parseHead(r.value)
	if !ok {
		return leave.Job{}, errors.New("its first line is none of ours")
	}
	var job leave.Job
	if err := json.Unmarshal([]byte(r.value[h.length:]), &job); err != nil {
		return leave.Job{}, err
	}
	if field(job.Key) != r.field {
		return leave.Job{}, fmt.Errorf("it is the job of %.80q in room %.80q", job.Identity, job.Room)
	}
	job.Version, job.Lease = h.version, leave.Lease{Holder: h.holder}
	if h.ends != 0 {
		job.Lease.Until = time.UnixMilli(h.ends)
	}
	return job, nil
}

// version returns what a script that expects value to be stored has to be told.
func version(value string) string {
	if value == "" {
		return absent
	}
	if h, ok := parseHead(value); ok {
		return h.digits
	}
	return noVersion
}

// What a script is told to expect where no version is.
const (
	absent    = "0"
	noVersion = "?"
)

// dueAt is when a job is due and not lent.
func dueAt(job leave.Job) int64 {
	return max(millis(job.Due()), millis(job.Lease.Until))
}

// account is what a job counts for, as the write script reads it.
func account(job leave.Job) string {
	occupies := 0
	if job.Occupies() {
		occupies = 1
	}
	return fmt.Sprintf("%d %s %d %s", occupies, job.State, leave.WeightOf(job.Delay), job.User)
}

// counters are the fields in which the script counts what is asked about user:
// the jobs of each state, the user's and its homeserver's, and the weights of its
// homeserver's and of its own.
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
