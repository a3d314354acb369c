package redisstore

import (
	"context"
	"strconv"

	"matrixrtc-auth/leave"
)

// change is a change of one job that the write script makes.
type change struct {
	job     leave.Job // its times are by the store's time
	expects string    // the script makes the change only if this version is stored
	removes bool      // whether the script removes the job
	moves   bool      // whether the script only moves the record into the other record format, without a new version

	// The field value is the record of the job, and the field in is the record's format.
	// Both are empty until encoded is called.
	in    form
	value string
}

// encoded returns c with the record of c's job in the given format.
func (c change) encoded(form form) (change, error) {
	if c.removes || c.in == form {
		return c, nil
	}
	value, err := form.encode(c.job)
	c.in, c.value = form, value
	return c, err
}

// outcome is the result of a change. If done is true, version is the job's new version.
// If done is false, stored holds the records that the script found instead of the
// expected ones.
type outcome struct {
	done    bool
	version uint64
	stored  pair
}

// answerWords is how many texts the write script returns for each change.
const answerWords = 3

// write makes changes with one script. Each change succeeds or fails by itself.
func (s *Store) write(ctx context.Context, changes ...change) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	for form := s.form.now(); ; s.form.set(form) {
		parts, args, err := arguments(form, changes)
		if err != nil {
			return nil, err
		}
		values, err := s.callOn(ctx, writeScript, parts, args...)
		switch {
		case err != nil:
			return nil, err
		case len(values) != 1:
			return outcomes(values, len(changes))
		}
		form = parseForm(values[0])
	}
}

// arguments returns the arguments of the write script. The due times of the jobs are
// divided into numbered parts (see shards). parts has, for each change, the number of the
// part to which the change writes. The script must get the keys of these parts.
func arguments(form form, changes []change) (parts []int, args []any, err error) {
	args = []any{form.String()}
	for _, c := range changes {
		if c, err = c.encoded(form); err != nil {
			return nil, nil, err
		}
		var counted string
		if form == first && !c.removes {
			counted = account(c.job)
		}
		above := strconv.FormatUint(c.job.Version, 10)
		if c.moves {
			above = ""
		}
		n := shard(c.job.Room)
		parts = append(parts, n)
		args = append(args, field(c.job.Key), id(c.job.Key), n, string(c.job.Room), c.expects, above, dueAt(c.job), counted, c.value)
	}
	return parts, args, nil
}

func outcomes(values []string, n int) ([]outcome, error) {
	if len(values) != answerWords*n {
		return nil, errAnswer
	}
	results := make([]outcome, n)
	for i := range results {
		of := values[answerWords*i:]
		if of[0] != "1" {
			results[i].stored = pair{of[1], of[2]}
			continue
		}
		results[i].done = true
		results[i].version, _ = strconv.ParseUint(of[1], 10, 64) // the text is not a number if the job was removed
	}
	return results, nil
}

// Put stores a new delegation. If another process writes the same key first, Put tries
// again, for at most a second.
func (s *Store) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	job = job.Moved(s.clock.ahead())
	next, replaced := change{job: job, expects: absent}, (*leave.Job)(nil)
	for {
		result, err := s.writeOne(ctx, next)
		switch {
		case err != nil:
			return nil, err
		case result.done:
			return replaced, nil
		}
		stored, isJob := s.read(job.Key, result.stored)
		switch {
		case !isJob:
			next, replaced = change{job: job, expects: result.stored.version()}, nil
			continue
		case job.Same(stored):
			return nil, nil
		case !job.After(stored):
			return nil, leave.ErrSuperseded
		}
		next = change{job: job.Replacing(stored), expects: result.stored.version()}
		old := s.here(stored)
		replaced = &old
	}
}

// Save writes job if the stored job has the version job.Version.
func (s *Store) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	job = job.Moved(0)
	v, err := s.swap(ctx, change{job: job.Moved(s.clock.ahead())})
	job.Version = v
	return job, err
}

// Delete removes job if the stored job has the version job.Version.
func (s *Store) Delete(ctx context.Context, job leave.Job) error {
	_, err := s.swap(ctx, change{job: job, removes: true})
	return err
}

// swap makes a change if the stored job has the same version as the job in c. It
// returns the new version.
func (s *Store) swap(ctx context.Context, c change) (uint64, error) {
	if c.job.Version == 0 {
		return 0, leave.ErrConflict // the job does not come from the store
	}
	c.expects = strconv.FormatUint(c.job.Version, 10)
	result, err := s.writeOne(ctx, c)
	switch {
	case err != nil:
		return 0, err
	case !result.done:
		s.unite(ctx, c.job.Key, result.stored)
		return 0, leave.ErrConflict
	}
	return result.version, nil
}
