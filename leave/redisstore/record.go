package redisstore

import (
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// In the first record format, a record begins with a line that the scripts read. Then
// comes the job without its lease and version, which the scripts do not read:
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

// encode1 returns the record of job in the first record format, without the job's
// version.
func encode1(job leave.Job) (string, error) {
	until, holder := millis(job.Lease.Until), job.Lease.Holder
	if strings.Contains(holder, "\n") {
		return "", fmt.Errorf("redisstore: the holder %q has a line break", holder)
	}
	job.Lease, job.Version = leave.Lease{}, 0
	body, err := json.Marshal(job)
	if err != nil {
		return "", fmt.Errorf("redisstore: encoding a job: %w", err)
	}
	lasts := max(job.LeaseTime().Milliseconds(), 1)
	return fmt.Sprintf("%d %d %s\n%s", until, lasts, holder, body), nil
}

// line matches the first line of a record, which the scripts read. The line has the
// version, the end and the length of the lease, and the lease's holder.
var line = pattern.New(`^(\d{1,16}) (\d{1,16}) \d{1,5} ([^\n]*)\n`)

// head is the parsed first line of a record.
type head struct {
	digits  string // the version as it stands in the record
	version uint64 // the version as a number
	ends    int64  // when the lease ends, in milliseconds
	holder  string
	length  int // how many bytes the line has, with its line break
}

// mostNumber is larger than each version and each time in milliseconds. Scripts can
// represent all whole numbers up to mostNumber, but not all larger ones.
const mostNumber = 1 << 53

// parseHead parses the first line of a record. It does this in the same way as the
// function parts in guard.lua.
func parseHead(value string) (h head, ok bool) {
	parts := line().FindStringSubmatch(value)
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

// decode parses a record that is in either of the two record formats.
func decode(r stored) (leave.Job, error) {
	if r.form == second {
		return decode2(r)
	}
	return decode1(r)
}

// decode1 decodes a record in the first record format.
func decode1(r stored) (leave.Job, error) {
	h, ok := parseHead(r.value)
	if !ok {
		return leave.Job{}, errors.New("the first line is not that of a record")
	}
	var job leave.Job
	if err := json.Unmarshal([]byte(r.value[h.length:]), &job); err != nil {
		return leave.Job{}, err
	}
	if field(job.Key) != r.place {
		return leave.Job{}, fmt.Errorf("the record is stored under another key than that of its job (%.80q in room %.80q)", job.Identity, job.Room)
	}
	job.Version, job.Lease = h.version, leave.Lease{Holder: h.holder}
	if h.ends != 0 {
		job.Lease.Until = time.UnixMilli(h.ends)
	}
	return job, nil
}

// dueAt returns the first time at which a claim may return the job, in milliseconds
// since 1970. At that time, the job is due, and its lease has ended.
func dueAt(job leave.Job) int64 {
	return max(millis(job.Due()), millis(job.Lease.Until))
}

// account returns what a job adds to the counts of jobs and weights. The text is an
// argument of the write script.
func account(job leave.Job) string {
	occupies := 0
	if job.Occupies() {
		occupies = 1
	}
	return fmt.Sprintf("%d %s %d %s", occupies, job.State, leave.WeightOf(job.Delay), job.User)
}

// counters returns the names of the fields that hold the counts for user: the counts of
// the jobs in each state, of the user's jobs, and of the jobs of the user's homeserver.
// In the first record format, the number of jobs and their weight ([leave.WeightOf])
// are in two fields. In the second record format, one field holds both.
func counters(user matrix.UserID) (fields, fields2 []any) {
	for _, state := range leave.States() {
		fields = append(fields, "="+string(state))
		fields2 = append(fields2, "="+strconv.Itoa(state.Number()))
	}
	server := ":" + user.Server().String()
	return append(fields, user.String(), "#"+server, server, "+"+user.String()), append(fields2, hashed(user), server)
}

// hashed returns the name of the field with a user's counts in the second record
// format. The function hash in ledger.lua must return the same name.
func hashed(user matrix.UserID) string {
	sum := sha1.Sum([]byte(user.String()))
	return string(sum[:idSize])
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
