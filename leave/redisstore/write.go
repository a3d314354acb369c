package redisstore

import (
	"context"
	"strconv"

	"matrixrtc-auth/leave"
)

// change is a change of one job, for the write script.
type change struct {
	job     leave.Job // its times are by the store's time
	expects string    // the script makes the change only if this version is stored
	removes bool      // whether the job is to be removed
	moves   bool      // whether the record only moves into the other form and keeps its version

	// value is the record of the job, and in is its form. Both fields are empty
	// until encoded is called.
	in    form
	value string
}

// encoded returns c with the field value, the record of c's job in the given form.
func (c change) encoded(form form) (change, error) {
	if c.removes || c.in == form {
		return c, nil
	}
	value, err := form.encode(c.job)
	c.in, c.value = form, value
	return c, err
}

// outcome is the result of a change. If done is true, version is the job's new
// version. Otherwise stored has the records that were found instead.
type outcome struct {
	done    bool
	version uint64
	stored  pair
}

// answerWords is how many texts the write script returns for each change.
const answerWords = 3

// write makes changes with one script. Each change succeeds or fails independently
// of the others.
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

// arguments returns the arguments of the write script. It also returns the numbers
// of the parts of the due times whose keys the script gets.
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
		results[i].version, _ = strconv.ParseUint(of[1], 10, 64) // a removed job has no version
	}
	return results, nil
}

// Put stores a new delegation. If another write to the same key comes first, Put
// tries again, for at most a second.
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

// Save writes job if job.Version is the version of the stored job.
func (s *Store) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	job = job.Moved(0)
	v, err := s.swap(ctx, change{job: job.Moved(s.clock.ahead())})
	job.Version = v
	return job, err
}

// Delete removes job if job.Version is the version of the stored job.
func (s *Store) Delete(ctx context.Context, job leave.Job) error {
	_, err := s.swap(ctx, change{job: job, removes: true})
	return err
}

// swap makes a change if the version of its job is the version of the stored job.
// It returns the new version.
func (s *Store) swap(ctx context.Context, c change) (uint64, error) {
	if c.job.Version == 0 {
		return 0, leave.ErrConflict // no caller has read this job from the store
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
