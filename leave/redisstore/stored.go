package redisstore

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// stored is a record with its place in Redis. In the first record format, the place is
// the result of the function field. In the second record format, it is the result of
// the function id.
type stored struct {
	form         form
	place, value string
}

// place says where in Redis a record is.
type place struct {
	form form
	name string
}

func (r stored) at() place { return place{r.form, r.place} }

// version returns the text with which the write script checks that Redis still holds
// this record: the record's version, absent, or noVersion.
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

// A write names the version of the record that it expects in Redis. If it expects no
// record, it names absent. If it expects a record without a valid version, it names
// noVersion.
const (
	absent    = "0"
	noVersion = "?"
)

// body returns the part of the record that the scripts never change.
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

// room returns the room of the record's job, even if the record is invalid. It returns
// "" if it cannot find out the room. prefix has the bytes with which the ids of all jobs
// in this room begin.
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

// pair holds the two records that one key can have: one in each of the two record
// formats. "" means that there is no record in that format. A replica of version 0.2.0
// does not know the second format. So a key has both records only after such a replica
// has written the key's job.
type pair struct{ first, second string }

// of returns both records of key, each with its place in Redis.
func (p pair) of(key leave.Key) [2]stored {
	return [2]stored{{first, field(key), p.first}, {second, id(key), p.second}}
}

// version returns the version of the key's job. If both records have a version, it
// returns both, with a slash between them. The write script compares this text with
// the result of atBoth in ledger.lua, and writes only if they are equal.
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

// isTwo reports whether the key has two records that scripts accept as valid. If so,
// they must be merged before anybody writes the job.
func (p pair) isTwo() bool { return strings.Contains(p.version(), "/") }

// read decodes the records of key and returns the job, with times by the store's
// clock. It returns false if there is no valid job. The next delegation with this key
// then overwrites the invalid record.
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

// unite merges the two records of a key into one, and returns the job. If there are not
// two records, it does nothing and returns an empty job.
func (s *Store) unite(ctx context.Context, key leave.Key, p pair) (leave.Job, error) {
	if !p.isTwo() {
		return leave.Job{}, nil
	}
	job, ok := s.read(key, p)
	if !ok {
		return leave.Job{}, leave.ErrNotFound // both records are invalid; when they are due, a claim will set them aside
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
