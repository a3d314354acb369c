package redisstore

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// stored is a record and its place: a field in the first form, or an id in the
// second form.
type stored struct {
	form         form
	place, value string
}

// place says where a record is.
type place struct {
	form form
	name string
}

func (r stored) at() place { return place{r.form, r.place} }

// version returns the text by which a write says that it expects this record.
func (r stored) version() string {
	if r.value == "" {
		return absent
	}
	if r.form == second {
		if h, ok := parseHead2(r.value); ok {
			return strconv.FormatUint(h.version, 10)
		}
		return noVersion
	}
	if h, ok := parseHead(r.value); ok {
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

// body returns the part of the record that no script changes.
func (r stored) body() string {
	if r.form == second {
		if h, ok := parseHead2(r.value); ok {
			return h.user + "\n" + r.value[h.length:]
		}
		return r.value
	}
	if _, body, found := strings.Cut(r.value, "\n"); found {
		return body
	}
	return r.value
}

// room returns the room in the record's place, and the first bytes of the ids of
// its jobs. It returns "" for a room that it cannot find out.
func (r stored) room() (room, prefix string) {
	if r.form == second {
		_, err := decode(r)
		if bad, ok := errors.AsType[*leave.RecordError](err); ok {
			room = string(bad.Key.Room)
		}
		return room, (r.place + "\x00\x00\x00\x00\x00")[:roomPart]
	}
	length, rest, _ := strings.Cut(r.place, ":")
	if n, err := strconv.Atoi(length); err == nil && n >= 0 && n < len(rest) && rest[n] == ':' {
		room = rest[:n]
	}
	return room, roomID(sfu.Room(room))
}

// pair holds the records of one key in the first and in the second form; "" means
// that there is none. A key has both records only after a replica of version 0.2.0,
// which does not know the second form, has written the job.
type pair struct{ first, second string }

// of returns both records of key with their places.
func (p pair) of(key leave.Key) [2]stored {
	return [2]stored{{first, field(key), p.first}, {second, id(key), p.second}}
}

// version returns the text by which a write says that it expects both records. The
// function atBoth in ledger.lua returns the same text.
func (p pair) version() string {
	a, b := stored{first, "", p.first}.version(), stored{second, "", p.second}.version()
	switch {
	case a == absent || a == noVersion && b != absent:
		return b
	case b == absent || b == noVersion:
		return a
	}
	return a + "/" + b
}

// isTwo reports whether the key has two records that scripts accept as valid. The
// two must be merged before anybody writes the job.
func (p pair) isTwo() bool { return strings.Contains(p.version(), "/") }

// read decodes the record of key, with times by the store's time. It returns false
// if there is no valid job. The next delegation with this key overwrites an invalid
// record.
func (s *Store) read(key leave.Key, p pair) (leave.Job, bool) {
	var found []leave.Job
	for _, r := range p.of(key) {
		if r.value == "" {
			continue
		}
		job, err := decode(r)
		if err != nil {
			s.bad(r, err)
			continue
		}
		found = append(found, job)
	}
	switch len(found) {
	case 0:
		return leave.Job{}, false
	case 1:
		return found[0], true
	}
	return leave.Merged(found[0], found[1]), true
}

// unite merges two records of a key into one, and returns the job. If there is only
// one record, it changes nothing and returns an empty job.
func (s *Store) unite(ctx context.Context, key leave.Key, p pair) (leave.Job, error) {
	if !p.isTwo() {
		return leave.Job{}, nil
	}
	job, ok := s.read(key, p)
	if !ok {
		return leave.Job{}, leave.ErrNotFound // both records are invalid; a claim sets them aside when they are due
	}
	results, err := s.write(ctx, change{job: job, expects: p.version()})
	switch {
	case err != nil:
		return leave.Job{}, err
	case !results[0].done:
		return leave.Job{}, leave.ErrConflict
	}
	job.Version = results[0].version
	return s.here(job), nil
}
