// Package filestore keeps delegated leaves in a file, for one process at a
// time. An acknowledged write survives any end of the process and of the
// machine.
//
// All jobs are in memory, in a [memstore.Store]. It answers every question and
// gives out the leases. The disk need not hold the leases, because they end with
// the process. A write is first made in memory, and is acknowledged when the
// file contains it. The file is a journal. It has one line for each group of
// writes, with the changed jobs and the keys of the jobs that ended. Writes that
// arrive while the disk is busy form the next group, and share one fsync.
//
//	1c291ca3 {"format":"matrixrtc-auth leaves 1","salt":2596996162}
//	0a3f7d52 {"jobs":[{…},{…}]}
//	99e1b06c {"complete":true}
//	5f7a1c04 {"jobs":[{…}],"ended":[{"room":"…","identity":"…"}]}
//
// Every line begins with the CRC-32C of its text. The checksum continues from
// the file's salt, so a line of an older file at the same place of the disk is
// not valid. The lines up to "complete" were written under another name. The
// file got its own name when all of them were on the disk. After "complete", a
// line was begun only when the line before it was on the disk. So an invalid
// line is one of two things:
//   - If it comes after "complete" and no valid line follows, it is the end of a
//     write that was cut off and never acknowledged. The store removes it.
//   - Everywhere else it is damage. The store renames the file, and begins a new
//     one with the jobs of all valid lines. These jobs can do no harm: for a
//     job that had ended, the homeserver answers 404, which ends it again, and
//     the keeper asks the SFU before it sends a leave.
//
// When the file has grown to twice the size that its jobs need, the store writes
// a successor beside it, one part with every group. The successor then gets the
// file's name.
//
// After a failed write it is unknown what the disk holds. So the store
// acknowledges nothing until a successor with all jobs is on the disk. Each
// later write tries to write that successor.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
)

// Store is a [leave.Store] in a file. Open makes one. Its calls return when their
// context ends, whatever the disk does. The store still makes a write that it has
// not acknowledged by then. Other calls can see a write before it is acknowledged.
type Store struct {
	*memory
	journal *journal // used by the goroutine that runs write

	mu      sync.Mutex
	group   *group        // the writes that wait for the disk; nil if there are none
	wake    chan struct{} // gets a value when a new group waits; closed by Close
	closed  bool
	stopped chan struct{}
}

type memory = memstore.Store

var _ leave.Store = (*Store)(nil)

// group is a set of writes that reach the disk together.
type group struct {
	keys    map[leave.Key]struct{}
	written chan struct{} // closed when err has the result
	err     error
}

var errClosed = errors.New("the leave file is closed")

// Put stores a new delegation. If the disk fails, it returns the replaced job
// together with the error, because the write may have happened.
func (s *Store) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	replaced, err := s.memory.Put(ctx, job)
	if err != nil {
		return nil, err
	}
	return replaced, s.Commit(ctx, job.Key)
}

// Save writes job if job.Version is the version of the stored job.
func (s *Store) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := s.memory.Save(ctx, job)
	if err != nil {
		return leave.Job{}, err
	}
	return saved, s.Commit(ctx, job.Key)
}

// Delete removes job if job.Version is the version of the stored job.
func (s *Store) Delete(ctx context.Context, job leave.Job) error {
	if err := s.memory.Delete(ctx, job); err != nil {
		return err
	}
	return s.Commit(ctx, job.Key)
}

// Merge merges jobs, copies that were changed outside this store, into the stored
// jobs.
func (s *Store) Merge(ctx context.Context, jobs []leave.Job) error {
	if err := s.memory.Merge(ctx, jobs); err != nil {
		return err
	}
	keys := make([]leave.Key, len(jobs))
	for i, job := range jobs {
		keys[i] = job.Key
	}
	return s.Commit(ctx, keys...)
}

// Memory returns the store in memory that holds all jobs. A change that is made
// only in memory is lost when the process ends, unless Commit is called for it.
func (s *Store) Memory() *memstore.Store { return s.memory }

// Close waits for running writes, closes the file and releases it for other
// processes.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.wake)
	s.mu.Unlock()
	<-s.stopped
	return errors.Join(s.journal.close(), s.journal.locks.close())
}

// Commit waits until the current state of the jobs with these keys is on the disk.
// Without keys it waits until an empty record is on the disk.
func (s *Store) Commit(ctx context.Context, keys ...leave.Key) error {
	g, err := s.join(keys)
	if err != nil {
		return err
	}
	select {
	case <-g.written:
		return g.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the disk to write %s: %w", s.journal.path, ctx.Err())
	}
}

// join adds keys to the group that is written next, and returns the group.
func (s *Store) join(keys []leave.Key) (*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.group == nil {
		s.group = &group{keys: map[leave.Key]struct{}{}, written: make(chan struct{})}
		// This cannot block, because write takes the value from wake together with
		// the group.
		s.wake <- struct{}{}
	}
	for _, key := range keys {
		s.group.keys[key] = struct{}{}
	}
	return s.group, nil
}

// write writes one group after another to the disk, until Close. It reads the state
// of a group's jobs as late as possible. If a job was changed several times, the
// disk needs only the job's last state.
func (s *Store) write() {
	defer close(s.stopped)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			s.journal.look()
			continue
		case _, open := <-s.wake:
			if !open {
				return
			}
		}
		s.mu.Lock()
		g := s.group
		s.group = nil
		s.mu.Unlock()
		g.err = s.journal.write(slices.Collect(maps.Keys(g.keys)))
		close(g.written)
	}
}
