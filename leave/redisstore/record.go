package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
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

// decode reads what is stored.
func decode(value string) (leave.Job, error) {
	line, body, _ := strings.Cut(value, "\n")
	parts := strings.SplitN(line, " ", 4)
	if len(parts) != 4 {
		return leave.Job{}, errors.New("not a job")
	}
	version, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil {
		return leave.Job{}, errors.New("a job without a version")
	}
	until, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return leave.Job{}, errors.New("a job without a lease")
	}
	var job leave.Job
	if err := json.Unmarshal([]byte(body), &job); err != nil {
		return leave.Job{}, err
	}
	job.Version, job.Lease = version, leave.Lease{Holder: parts[3]}
	if until != 0 {
		job.Lease.Until = time.UnixMilli(until)
	}
	return job, nil
}

// version returns what a script that expects value to be stored has to be told.
func version(value string) string {
	if value == "" {
		return absent
	}
	v, _, _ := strings.Cut(value, " ")
	if _, err := strconv.ParseUint(v, 10, 64); err != nil {
		return unreadable
	}
	return v
}

// What a script is told to expect where no version is.
const (
	absent     = "0"
	unreadable = "?"
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
// the jobs of each state, the user's, and the weights of its homeserver's and of
// its own.
func counters(user matrix.UserID) []any {
	var fields []any
	for _, state := range leave.States() {
		fields = append(fields, "="+string(state))
	}
	return append(fields, user.String(), ":"+user.Server().String(), "+"+user.String())
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
