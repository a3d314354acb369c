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

// The record of a job begins with a line that the scripts read. Then comes the job
// without its lease and version, which the scripts do not read:
//
//	<version> <lease ends> <lease lasts> <holder>\n<JSON>
//
// Times are in milliseconds. A script adds the version.

// field returns the name of a job in the hash and the sorted sets of Redis. The room
// comes first, so that the jobs of a room are adjacent. Before it comes the length of
// the room's name, so that two keys never have the same field.
func field(key leave.Key) string {
	return roomPrefix(key.Room) + string(key.Identity)
}

func roomPrefix(room sfu.Room) string {
	return strconv.Itoa(len(room)) + ":" + string(room) + ":"
}

// encode returns the record of job without the job's version.
func encode(job leave.Job) (string, error) {
	until, holder := millis(job.Lease.Until), job.Lease.Holder
	if strings.Contains(holder, "\n") {
		return "", fmt.Errorf("redisstore/first: the holder %q has a line break", holder)
	}
	job.Lease, job.Version = leave.Lease{}, 0
	body, err := json.Marshal(job)
	if err != nil {
		return "", fmt.Errorf("redisstore/first: encoding a job: %w", err)
	}
	lasts := max(job.LeaseTime().Milliseconds(), 1)
	return fmt.Sprintf("%d %d %s\n%s", until, lasts, holder, body), nil
}

// line matches the first line of a record, which the scripts read. The line has the
// version, the end and the length of the lease, and the lease's holder.
var line = regexp.MustCompile(`^(\d{1,16}) (\d{1,16}) \d{1,5} ([^\n]*)\n`)

// head is the parsed first line of a record.
type head struct {
	digits  string // the version as it stands in the record
	version uint64 // the version as a number
	ends    int64  // when the lease ends, in milliseconds
	holder  string
	length  int // how many bytes the line has, with its end
}

// mostNumber is larger than each version and each time in milliseconds. The Lua scripts
// in Redis can represent all whole numbers up to mostNumber, but not all larger ones.
const mostNumber = 1 << 53

// parseHead parses the first line of a record. It does this in the same way as the
// function parts in guard.lua.
func parseHead(value string) (h head, ok bool) {
	parts := line.FindStringSubmatch(value)
	if parts == nil {
		return head{}, false
	}
	version, _ := strconv.ParseUint(parts[1], 10, 64) // this cannot fail, because there are at most 16 digits
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

// version returns the version of a record. value is the text of the record. A write of
// the job names this version, and does nothing if the stored record has another one.
func version(value string) string {
	if value == "" {
		return absent
	}
	if h, ok := parseHead(value); ok {
		return h.digits
	}
	return noVersion
}

// absent stands in place of a version if a write expects no record. noVersion stands
// there if the write expects a record without a valid version.
const (
	absent    = "0"
	noVersion = "?"
)

// dueAt returns the first time at which a claim may return the job, in milliseconds
// since 1970. At that time, the job is due, and its lease has ended.
func dueAt(job leave.Job) int64 {
	return max(millis(job.Due()), millis(job.Lease.Until))
}

// account returns the properties of a job that decide which counters the job adds to,
// and how much (see counters). The text is an argument of the write script.
func account(job leave.Job) string {
	occupies := 0
	if job.Occupies() {
		occupies = 1
	}
	return fmt.Sprintf("%d %s %d %s", occupies, job.State, leave.WeightOf(job.Delay), job.User)
}

// counters returns the names of the fields that hold the counts for user: the number of
// jobs in each state, and the number and the weight ([leave.WeightOf]) of the jobs of
// the user, and of the jobs of the user's homeserver.
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
