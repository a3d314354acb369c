package first

import (
	"context"
	"slices"

	"matrixrtc-auth/leave"
)

// Merge merges copies of jobs into the stored jobs. After [leave.ErrForgotten] Redis has
// lost its jobs and its epoch (see the type known). Then Merge first writes a new epoch
// to Redis. If another replica has already written one, Merge uses that epoch.
func (s *Store) Merge(ctx context.Context, jobs []leave.Job) error {
	if err := s.rejoin(ctx); err != nil {
		return err
	}
	for copies := range slices.Chunk(distinct(jobs), page) {
		if err := s.merge(ctx, copies); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) rejoin(ctx context.Context) error {
	epoch, ended := s.life.state()
	if !ended {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	return s.begin(ctx, epoch)
}

// distinct returns one copy of a job for each key. If several copies have the same key,
// distinct merges them.
func distinct(jobs []leave.Job) []leave.Job {
	place := make(map[leave.Key]int, len(jobs))
	var copies []leave.Job
	for _, job := range jobs {
		if i, seen := place[job.Key]; seen {
			copies[i] = leave.Merged(copies[i], job)
			continue
		}
		place[job.Key] = len(copies)
		copies = append(copies, job)
	}
	return copies
}

// merge merges as many copies as one script can write. It first tries to write them as
// if none of the jobs was stored. If a job is stored, the script returns that job, and
// merge merges the copy with it.
func (s *Store) merge(ctx context.Context, copies []leave.Job) error {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	var changes []change
	for _, job := range copies {
		changes = append(changes, change{job: job.Moved(s.clock.ahead()), expects: absent})
	}
	for len(changes) > 0 {
		results, err := s.write(ctx, changes...)
		if err != nil {
			return err
		}
		changes = s.again(changes, results)
	}
	return nil
}

// again returns the changes that failed because Redis has a job that they did not
// expect. In each of them, again merges that job into the job of the change.
func (s *Store) again(changes []change, results []outcome) []change {
	var left []change
	for i, result := range results {
		if result.done {
			continue
		}
		c := change{job: changes[i].job, expects: version(result.stored)}
		if stored, isJob := s.read(c.job.Key, result.stored); isJob {
			c.job = leave.Merged(stored, c.job)
		}
		left = append(left, c)
	}
	return left
}
