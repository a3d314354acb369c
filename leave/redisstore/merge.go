package redisstore

import (
	"context"
	"slices"

	"matrixrtc-auth/leave"
)

// Merge merges copies of jobs into the stored jobs. After [leave.ErrForgotten] it first
// gives the Redis server a new epoch (a random text, new after each loss of data). If
// another replica has already done this, Merge only reads the new epoch.
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

// merge writes copies of jobs into Redis. There are at most 200 copies (page). It first
// tries to write them as if Redis had none of these jobs. If Redis has a job, the script
// returns that job. Then merge merges the copy with that job, and tries again.
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

// again takes the changes that failed because Redis has another version of the job
// than they expected. It returns changes with which the caller can try once more. In
// each of them, the job is merged with the job that Redis has.
func (s *Store) again(changes []change, results []outcome) []change {
	var left []change
	for i, result := range results {
		if result.done {
			continue
		}
		c := change{job: changes[i].job, expects: result.stored.version()}
		if stored, isJob := s.read(c.job.Key, result.stored); isJob {
			c.job = leave.Merged(stored, c.job)
		}
		left = append(left, c)
	}
	return left
}
