package redisstore

import (
	"context"
	"slices"
	"strconv"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// Room returns the jobs of the LiveKit room.
func (s *Store) Room(ctx context.Context, room sfu.Room) ([]leave.Job, error) {
	p, err := s.readRoom(ctx, room, "")
	if err != nil {
		return nil, err
	}
	var all found
	all.add(p.jobs)
	if len(p.fields) < page && len(p.ids) <= page {
		return all.of(room), nil // the first answer has all jobs of the room
	}
	if err := s.rest(ctx, room, p, &all); err != nil {
		return nil, err
	}
	return all.of(room), nil
}

// rest reads those jobs of a room that the first answer p did not contain. Meanwhile a
// record can move from one record format to the other, and rest must not miss it. So
// rest reads the second record format, then the first one, and then the second one once
// more.
func (s *Store) rest(ctx context.Context, room sfu.Room, p roomAnswer, all *found) error {
	if err := s.records(ctx, p.ids[min(page, len(p.ids)):], all); err != nil || len(p.fields) == 0 {
		return err
	}
	for len(p.fields) > 0 {
		var err error
		if p, err = s.readRoom(ctx, room, p.fields[len(p.fields)-1]); err != nil {
			return err
		}
		all.add(p.jobs)
	}
	p, err := s.readRoom(ctx, room, "")
	if err != nil {
		return err
	}
	all.add(p.jobs)
	return s.records(ctx, p.ids[min(page, len(p.ids)):], all)
}

// records reads the jobs with these ids from records in the second record format, and
// adds them to all.
func (s *Store) records(ctx context.Context, ids []string, all *found) error {
	for some := range slices.Chunk(ids, page) {
		var args []any
		for _, id := range some {
			args = append(args, id)
		}
		values, err := s.call(ctx, recordsScript, args...)
		if err != nil {
			return err
		}
		jobs, _ := s.jobs(second, some, values)
		all.add(jobs)
	}
	return nil
}

// roomAnswer is the answer of the room script.
type roomAnswer struct {
	fields []string // the fields of those records in the first record format that this answer contains
	ids    []string // the ids of all the room's records in the second record format
	jobs   []leave.Job
}

// readRoom reads some of a room's records in the first record format. It begins after
// the record whose field in Redis has the name last. If last is "", readRoom begins with
// the room's first record, and also reads the ids of all the room's records in the
// second record format.
func (s *Store) readRoom(ctx context.Context, room sfu.Room, last string) (p roomAnswer, err error) {
	values, err := s.callOn(ctx, roomScript, []int{shard(room)}, string(room), roomID(room), last, page)
	if err != nil {
		return p, err
	}
	if p.fields, values, err = list(values); err != nil || len(values) < len(p.fields) {
		return p, errAnswer
	}
	p.jobs, _ = s.jobs(first, p.fields, values)
	values = values[len(p.fields):]
	if last != "" {
		return p, nil
	}
	if p.ids, values, err = list(values); err != nil {
		return p, errAnswer
	}
	more, _ := s.jobs(second, p.ids, values)
	p.jobs = append(p.jobs, more...)
	return p, nil
}

// list takes a list from the beginning of values. The first value is the length of the
// list. The second result is what follows the list.
func list(values []string) (list, rest []string, err error) {
	if len(values) == 0 {
		return nil, nil, errAnswer
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < 0 || n > len(values)-1 {
		return nil, nil, errAnswer
	}
	return values[1 : 1+n], values[1+n:], nil
}

// found collects the jobs of a room. A job can come twice, if its record has moved into
// the other record format between two scripts.
type found struct {
	order []leave.Key
	jobs  map[leave.Key]leave.Job
}

// add adds jobs. If a job comes twice, add keeps the copy with the higher version.
func (f *found) add(jobs []leave.Job) {
	if f.jobs == nil {
		f.jobs = make(map[leave.Key]leave.Job, len(jobs))
	}
	for _, job := range jobs {
		known, ok := f.jobs[job.Key]
		if !ok {
			f.order = append(f.order, job.Key)
		}
		if !ok || job.Version > known.Version {
			f.jobs[job.Key] = job
		}
	}
}

// of returns the collected jobs of the given room. There can also be jobs of other
// rooms, because the ids of two rooms can begin with the same bytes.
func (f *found) of(room sfu.Room) (jobs []leave.Job) {
	for _, key := range f.order {
		if key.Room == room {
			jobs = append(jobs, f.jobs[key])
		}
	}
	return jobs
}
