package redisstore

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// stored is a record with its place: a field of the first form, or an id of the
// second.
type stored struct {
	form         form
	place, value string
}

// place is where a record is.
type place struct {
	form form
	name string
}

func (r stored) at() place { return place{r.form, r.place} }

// version returns what a script that expects the record has to be told.
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

// What a script is told to expect where no version is.
const (
	absent    = "0"
	noVersion = "?"
)

// body is the part of the record that no script changes.
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

// room returns the room in the record's place, and what the ids of its jobs begin
// with. "" if the place does not tell.
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

// pair is what is stored for one key, in the first form and in the second; "" for
// nothing. There is something in both only after a replica wrote that does not
// know the second.
type pair struct{ first, second string }

// of returns the two with their places.
func (p pair) of(key leave.Key) [2]stored {
	return [2]stored{{first, field(key), p.first}, {second, id(key), p.second}}
}

// version returns what a script that expects both has to be told, as atBoth in
// ledger.lua has it.
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

// isTwo reports whether the key has two records that scripts take for jobs. No job
// of it is written then, before they are made one.
func (p pair) isTwo() bool { return strings.Contains(p.version(), "/") }

// read reads what is stored for key, by the store's time, and reports whether it
// is a job. What is none is overwritten.
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

// unite makes one of two records of a key, and returns the job. It does nothing
// where there is one.
func (s *Store) unite(ctx context.Context, key leave.Key, p pair) (leave.Job, error) {
	if !p.isTwo() {
		return leave.Job{}, nil
	}
	job, ok := s.read(key, p)
	if !ok {
		return leave.Job{}, leave.ErrNotFound // both are bad, and set aside when they are due
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
