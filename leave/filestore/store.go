// Package filestore keeps delegated leaves in a file, for one process at a
// time: what was acknowledged survives the end of the process, of any kind,
// and of the machine.
//
// All jobs are in memory, in a [memstore.Store], which answers every question
// and gives out the leases; those need no disk, for they end with the process.
// A write is made there first and acknowledged when the file has it. The file
// is a journal: a line for each group of writes, with the jobs as they have
// become and the keys of those that ended. Writes that come while the disk is
// at work are the next group, and share one fsync.
//
//	1c291ca3 {"format":"matrixrtc-auth leaves 1","salt":2596996162}
//	0a3f7d52 {"jobs":[{…},{…}]}
//	99e1b06c {"complete":true}
//	5f7a1c04 {"jobs":[{…}],"ended":[{"room":"…","identity":"…"}]}
//
// In front of every line is the CRC-32C of its text, continued from the salt
// of the file, so that no line of an older file that lay in the same place
// fits. Up to the line "complete" the file was written under another name and
// took its name with all of that on the disk; behind it, every line was on the
// disk before the next was begun. So a line that does not fit is
//   - the end of a write that was cut off and never acknowledged, when it
//     stands behind "complete" and nothing fits that follows: it is cut away;
//   - damage, everywhere else. The file is kept under another name, and a new
//     one is begun with the jobs of all lines that do fit. None of them can do
//     harm: one that had ended is ended again by the homeserver's 404, and the
//     SFU is asked before a leave is sent.
//
// When the file has grown to twice what its jobs need, its successor is
// written beside it, a part with every group, and takes its name.
//
// After a failed write nobody can tell what the disk holds. So nothing is
// acknowledged any more before a successor with all jobs is on the disk;
// trying that is up to the writes that follow.
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

// Store is a [leave.Store] in a file. Open makes one. Its calls return when
// their context ends, whatever the disk does. A write that is not acknowledged
// by then is still made. Other calls may see it before it is acknowledged.
type Store struct {
	*memory
	journal *journal // used by the goroutine that runs write

	mu      sync.Mutex
	group   *group        // the writes that wait for the disk; nil if there are none
	wake    chan struct{} // gets a value when there is a group
	closed  bool
	stopped chan struct{}
}

type memory = memstore.Store

var _ leave.Store = (*Store)(nil)

// group is a set of writes that go to the disk together.
type group struct {
	keys    map[leave.Key]struct{}
	written chan struct{} // closed when err has the result
	err     error
}

var errClosed = errors.New("the leave file is closed")

// Put stores a new delegation. It returns the replaced job even with an error,
// because the write may have happened.
func (s *Store) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	replaced, err := s.memory.Put(ctx, job)
	if err != nil {
		return nil, err
	}
	return replaced, s.Commit(ctx, job.Key)
}

// Save writes a job if its version is the stored one.
func (s *Store) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := s.memory.Save(ctx, job)
	if err != nil {
		return leave.Job{}, err
	}
	return saved, s.Commit(ctx, job.Key)
}

// Delete removes a job if its version is the stored one.
func (s *Store) Delete(ctx context.Context, job leave.Job) error {
	if err := s.memory.Delete(ctx, job); err != nil {
		return err
	}
	return s.Commit(ctx, job.Key)
}

// Merge merges copies that were changed elsewhere into the stored jobs.
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

// Memory returns the store that holds all jobs. A change made only there is
// lost with the process, until Commit is called for it.
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

// Commit waits until the current state of the jobs of keys is on the disk.
// Without keys it waits until an empty record is.
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

// join adds keys to the next group.
func (s *Store) join(keys []leave.Key) (*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.group == nil {
		s.group = &group{keys: map[leave.Key]struct{}{}, written: make(chan struct{})}
		// This cannot block: the writer takes the value together with the group.
		s.wake <- struct{}{}
	}
	for _, key := range keys {
		s.group.keys[key] = struct{}{}
	}
	return s.group, nil
}

// write writes one group after another. It reads the state of a group's jobs
// only now, because of several writes to one job only the last must reach the
// disk.
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
