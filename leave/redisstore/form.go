package redisstore

import (
	"strconv"
	"sync/atomic"

	"matrixrtc-auth/leave"
)

// form is one of the two formats in which Redis stores jobs. The package's comment
// describes them.
type form int32

const (
	first  form = 1
	second form = 2
)

func (f form) String() string { return strconv.Itoa(int(f)) }

func (f form) other() form { return first + second - f }

// key returns the index of a key in the list of Redis keys. The key is that of the hash
// with the jobs in the record format f.
func (f form) key() int {
	if f == second {
		return 11
	}
	return 2
}

// encode returns the record of job in the format f, without the job's version.
func (f form) encode(job leave.Job) (string, error) {
	if f == second {
		return encode2(job)
	}
	return encode1(job)
}

func parseForm(text string) form {
	if text == second.String() {
		return second
	}
	return first
}

// formNow is the record format in which this process writes jobs now. The scripts know
// which format is right, and refuse a write in the other one.
type formNow struct{ last atomic.Int32 }

func (f *formNow) now() form {
	if form(f.last.Load()) == second {
		return second
	}
	return first
}

func (f *formNow) set(to form) { f.last.Store(int32(to)) }
