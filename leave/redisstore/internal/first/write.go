package first

import (
	"context"
	"strconv"

	"matrixrtc-auth/leave"
)

// change is a change of one job that the write script makes.
type change struct {
	job     leave.Job // its times are in the store's time, not in our clock's time
	expects string    // the script makes the change only if this version is stored
	removes bool
}

// outcome is the result of a change. If done is true, version is the job's new version.
// If done is false, stored is the record that the script found instead of the expected
// one.
type outcome struct {
	done    bool
	version uint64
	stored  string
}

// write makes changes with one script. Each change succeeds or fails by itself.
func (s *Store) write(ctx context.Context, changes ...change) ([]outcome, error) {
	var args []any
	for _, c := range changes {
		var counted, value string
		if !c.removes {
			var err error
			if value, err = encode(c.job); err != nil {
				return nil, err
			}
			counted = account(c.job)
		}
		args = append(args, field(c.job.Key), string(c.job.Room), c.expects, c.job.Version, dueAt(c.job), counted, value)
	}
	values, err := s.call(ctx, writeScript, args...)
	if err != nil {
		return nil, err
	}
	return outcomes(values, len(changes))
}

func outcomes(values []string, n int) ([]outcome, error) {
	if len(values) != 2*n {
		return nil, errAnswer
	}
	results := make([]outcome, n)
	for i := range results {
		if values[2*i] != "1" {
			results[i].stored = values[2*i+1]
			continue
		}
		results[i].done = true
		results[i].version, _ = strconv.ParseUint(values[2*i+1], 10, 64) // the text is not a number if the job was removed
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
		results, err := s.write(ctx, next)
		switch {
		case err != nil:
			return nil, err
		case results[0].done:
			return replaced, nil
		}
		stored, isJob := s.read(job.Key, results[0].stored)
		switch {
		case !isJob:
			next, replaced = change{job: job, expects: version(results[0].stored)}, nil
			continue
		case job.Same(stored):
			return nil, nil
		case !job.After(stored):
			return nil, leave.ErrSuperseded
		}
		next = change{job: job.Replacing(stored), expects: version(results[0].stored)}
		old := s.here(stored)
		replaced = &old
	}
}

// read decodes value, which is the record of key, and returns the job, with times by the
// store's clock. It returns false if the record is not a valid job. The next delegation
// with this key then overwrites the record.
func (s *Store) read(key leave.Key, value string) (leave.Job, bool) {
	if value == "" {
		return leave.Job{}, false
	}
	r := stored{field(key), value}
	job, err := decode(r)
	if err != nil {
		s.bad(r, err)
	}
	return job, err == nil
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
	results, err := s.write(ctx, c)
	switch {
	case err != nil:
		return 0, err
	case !results[0].done:
		return 0, leave.ErrConflict
	}
	return results[0].version, nil
}
