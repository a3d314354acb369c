package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// A record in the second record format is stored under the job's id. The bytes at its
// beginning are for the scripts. Numbers have their most significant byte first:
//
//	 0      2, the format; the first format begins with a digit
//	 1 … 7  version, which a script sets
//	 8 … 10 how long a lease lasts, in milliseconds
//	11      the number of the state, plus 16 if the job occupies its room, plus 32
//	        if the job has a lease
//	12 … 16 the job's weight
//	17      length of the user's name, and the name
//
// If the job has a lease, the next 6 bytes say when it ends, in milliseconds. Then come
// the length of the holder's name, and the name. After that comes the job as a compact
// record, which the scripts do not read.
const (
	form2     = 2
	stateAt   = 11
	occupies  = 16
	leased    = 32
	fixedSize = 17
	// mostName is the length of the longest name, because the length must fit into one
	// byte.
	mostName = 255
)

// encode2 returns the record of job in the second record format, without the job's
// version.
func encode2(job leave.Job) (string, error) {
	user, holder := job.User.String(), job.Lease.Holder
	if len(user) > mostName {
		return "", fmt.Errorf("redisstore: the user id %.40q has more than %d bytes", user, mostName)
	}
	if len(holder) > mostName {
		return "", fmt.Errorf("redisstore: the name of the lease's holder, %.40q, has more than %d bytes", holder, mostName)
	}
	b := make([]byte, 0, 256)
	b = append(b, form2)
	b = appendNumber(b, 0, 7)
	b = appendNumber(b, max(job.LeaseTime().Milliseconds(), 1), 3)
	state := byte(job.State.Number())
	if job.Occupies() {
		state |= occupies
	}
	if job.Lease != (leave.Lease{}) {
		state |= leased
	}
	b = append(b, state)
	b = appendNumber(b, int64(leave.WeightOf(job.Delay)), 5)
	b = append(append(b, byte(len(user))), user...)
	if state&leased != 0 {
		b = appendNumber(b, max(millis(job.Lease.Until), 0), 6)
		b = append(append(b, byte(len(holder))), holder...)
	}
	return string(append(b, job.Compact()...)), nil
}

// appendNumber appends n as a number of size bytes to b, the most significant byte
// first. n must not be negative.
func appendNumber(b []byte, n int64, size int) []byte {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], uint64(n))
	return append(b, all[8-size:]...)
}

// head2 is the beginning of a record in the second record format. The Lua scripts that
// run in Redis read it, too.
type head2 struct {
	version      uint64
	ends         int64 // when the lease ends, in milliseconds
	user, holder string
	length       int // how many bytes of the record have been read
}

// parseHead2 parses the beginning of a record in the second record format. The Lua
// scripts that run in Redis parse it in the same way.
func parseHead2(value string) (h head2, ok bool) {
	if len(value) <= fixedSize || value[0] != form2 {
		return head2{}, false
	}
	if h.version = uint64(number(value[1:8])); h.version >= mostNumber {
		return head2{}, false
	}
	h.length = fixedSize
	if h.user, ok = h.name(value); !ok || value[stateAt]&leased == 0 {
		return h, ok
	}
	if h.length+6 > len(value) {
		return head2{}, false
	}
	h.ends = number(value[h.length : h.length+6])
	h.length += 6
	h.holder, ok = h.name(value)
	return h, ok
}

// name reads the name that begins at the position h.length of value. Then h.length is
// the position at which this name ends.
func (h *head2) name(value string) (name string, ok bool) {
	if h.length >= len(value) {
		return "", false
	}
	from := h.length + 1
	h.length = from + int(value[h.length])
	if h.length > len(value) {
		return "", false
	}
	return value[from:h.length], true
}

// number reads a number that appendNumber has written.
func number(text string) (n int64) {
	for i := range len(text) {
		n = n<<8 | int64(text[i])
	}
	return n
}

// decode2 decodes a record in the second record format.
func decode2(r stored) (leave.Job, error) {
	h, ok := parseHead2(r.value)
	if !ok {
		return leave.Job{}, errors.New("the first bytes are not those of a record")
	}
	user, err := matrix.ParseUserID(h.user)
	if err != nil {
		return leave.Job{}, err
	}
	job, err := leave.ParseCompact([]byte(r.value[h.length:]), user)
	if err != nil {
		return leave.Job{}, err
	}
	if id(job.Key) != r.place {
		return leave.Job{}, fmt.Errorf("the record is stored under another key than that of its job (%.80q in room %.80q)", job.Identity, job.Room)
	}
	job.Version, job.Lease = h.version, leave.Lease{Holder: h.holder}
	if h.ends != 0 {
		job.Lease.Until = time.UnixMilli(h.ends)
	}
	return job, nil
}
