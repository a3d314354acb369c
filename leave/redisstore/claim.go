package redisstore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"matrixrtc-auth/leave"
)

// Claim leases up to n due jobs to holder. The leases end by the clock of Redis.
func (s *Store) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	if n <= 0 {
		return nil, nil
	}
	if len(holder) > mostName {
		return nil, fmt.Errorf("redisstore: the holder %.40q has more than %d bytes", holder, mostName)
	}
	n = min(n, mostClaimed)
	var jobs []leave.Job
	began := s.clock.ours.Now()
	for moves := false; ; {
		c, some, err := s.claim(ctx, holder, now, n-len(jobs))
		moves, jobs = moves || c.moves, append(jobs, some...)
		switch {
		case err != nil && len(jobs) == 0:
			return nil, err
		case err == nil && c.after != never && len(some) > 0 && len(jobs) < n && s.hasTime(began):
			// More jobs may be due, so claim is called again. One call returns no job in
			// the second record format that is due later than the next job in the first
			// record format.
			continue
		case moves:
			s.move(ctx, began)
		}
		return jobs, nil
	}
}

// claim leases up to n due jobs: first jobs in the first record format (the older one),
// then jobs in the second record format (the newer one).
func (s *Store) claim(ctx context.Context, holder string, now time.Time, n int) (claimed, []leave.Job, error) {
	values, err := s.call(ctx, claimScript, s.there(now), n, holder)
	if err != nil {
		return claimed{}, nil, err
	}
	c, err := parseClaimed(values)
	if err != nil {
		return claimed{}, nil, err
	}
	s.form.set(c.form)
	jobs, bad := s.jobs(first, c.fields, c.values)
	more, worse, err := s.lend(ctx, holder, now, n-len(c.fields), c)
	s.setAside(ctx, now, append(bad, worse...))
	return c, append(jobs, more...), err
}

// claimed is the answer of the claim script.
type claimed struct {
	form  form
	moves bool // whether some jobs are still in another record format than the one in which jobs are now written
	// after is when the next job in the first record format is due. Jobs in the second
	// record format that are due later must wait for this job.
	after          int64
	fields, values []string
	heads          []partHead
}

// never is later than the due time of any job.
const never = math.MaxInt64

// partHead says when the first job of a part is due. The due times of the jobs in the
// second record format are divided into numbered parts.
type partHead struct {
	part int
	due  int64
}

func parseClaimed(values []string) (c claimed, err error) {
	if len(values) < 4 {
		return c, errAnswer
	}
	c.form, c.moves, c.after = parseForm(values[0]), values[1] != "", never
	if values[2] != "" {
		if c.after, err = parseScore(values[2]); err != nil {
			return c, err
		}
	}
	n, err := strconv.Atoi(values[3])
	if values = values[4:]; err != nil || n < 0 || len(values) < 2*n {
		return c, errAnswer
	}
	c.fields, c.values = halves(values[:2*n])
	c.heads, err = parseHeads(values[2*n:])
	return c, err
}

// halves splits a list in which names and values alternate.
func halves(texts []string) (names, values []string) {
	for i := 0; i+1 < len(texts); i += 2 {
		names, values = append(names, texts[i]), append(values, texts[i+1])
	}
	return names, values
}

func parseHeads(texts []string) (heads []partHead, err error) {
	names, times := halves(texts)
	for i, name := range names {
		n, err := parsePart(name)
		if err != nil {
			return nil, err
		}
		due, err := parseScore(times[i])
		if err != nil {
			return nil, err
		}
		heads = append(heads, partHead{n, due})
	}
	return heads, nil
}

// parseScore parses a time in milliseconds. In Redis the time is a score of a sorted
// set.
func parseScore(text string) (int64, error) {
	score, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errAnswer
	}
	return int64(score), nil
}

// parsePart parses the number of a part. The due times of jobs are divided into
// numbered parts (see partHead).
func parsePart(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= shards {
		return 0, errAnswer
	}
	return n, nil
}

// lend leases up to n jobs that are stored in the second record format. The due times
// of these jobs are divided into parts. c.heads lists the parts that have due jobs. The
// part whose first job is due first comes first. n parts are enough, because the n jobs
// that are due first are in at most n parts.
func (s *Store) lend(ctx context.Context, holder string, now time.Time, n int, c claimed) ([]leave.Job, []noJob, error) {
	if len(c.heads) == 0 {
		return nil, nil, nil
	}
	at := s.there(now)
	latest := min(at, c.after)
	if len(c.heads) == n {
		latest = min(latest, c.heads[n-1].due)
	}
	var parts []int
	args := []any{at, latest, n, holder}
	for _, h := range c.heads {
		parts = append(parts, h.part)
		args = append(args, h.part)
	}
	values, err := s.callOn(ctx, lendScript, parts, args...)
	if err != nil {
		return nil, nil, err
	}
	ids, records := halves(values)
	jobs, bad := s.jobs(second, ids, records)
	return jobs, bad, nil
}
