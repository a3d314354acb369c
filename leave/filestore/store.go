// Package filestore keeps delegated leaves in a file, for one process at a time. An
// acknowledged write survives any end of the process and of the machine.
//
// All jobs are in memory, in a [memstore.Store]. It answers all questions and grants
// the leases. Leases end with the process, so they need not be on the disk. A write is
// first made in memory. It is acknowledged when it is in the file. The file is a
// journal. It has one line for each group of writes. The line has the changed jobs, and
// the keys of jobs that have ended. Writes that arrive while the disk is busy form the
// next group. One fsync is enough for all of them.
//
//	1c291ca3 {"format":"matrixrtc-auth leaves 1","salt":2596996162}
//	0a3f7d52 {"jobs":[{…},{…}]}
//	99e1b06c {"complete":true}
//	5f7a1c04 {"jobs":[{…}],"ended":[{"room":"…","identity":"…"}]}
//
// Each line begins with the CRC-32C of its text. The checksum continues from the file's
// salt. So a line of an older file is not valid, even if it is at the same place of the
// disk. The store writes the lines up to "complete" under another name. It gives the
// file its name when all these lines are on the disk. After "complete", it begins a
// line only when the line before is on the disk. So there are two possible reasons for
// an invalid line:
//   - If it comes after "complete" and no valid line follows, it is the end of a
//     write that was cut off and never acknowledged. The store removes it.
//   - Everywhere else it is damage. The store renames the file, and begins a new
//     one with the jobs of all valid lines. These jobs can do no harm. If a job
//     had ended, the homeserver answers 404, and the job ends again. And the
//     keeper asks the SFU before it sends a leave.
//
// When the file has grown to twice the size that its jobs need, the store writes a new
// file beside it, the successor. With each group of writes, it writes one part of the
// successor. A complete successor gets the file's name.
//
// After a failed write, it is unknown what is on the disk. So the store acknowledges
// nothing until a successor with all jobs is on the disk. Each later write tries to
// write that successor.
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
// context ends, even if the disk does not answer. If a call returns before its write is
// acknowledged, the store still makes that write. Other calls can see a write before it
// is acknowledged.
type Store struct {
	*memory
	journal *journal // used only by the goroutine that runs the method write

	mu      sync.Mutex
	group   *group        // the group of writes that waits for the disk; nil if there is none
	wake    chan struct{} // gets a value when a new group of writes waits for the disk; Close closes the channel
	closed  bool
	stopped chan struct{}
}

type memory = memstore.Store

var _ leave.Store = (*Store)(nil)

// group is a set of writes that the store writes to the disk together.
type group struct {
	keys    map[leave.Key]struct{}
	written chan struct{} // closed when err is set
	err     error
}

var errClosed = errors.New("the leave file is closed")

// Put stores a new delegation. If the disk fails, Put returns both the replaced job and
// the error, because the write may have happened.
func (s *Store) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	replaced, err := s.memory.Put(ctx, job)
	if err != nil {
		return nil, err
	}
	return replaced, s.Commit(ctx, job.Key)
}

// Save writes job if the stored job has the version job.Version.
func (s *Store) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := s.memory.Save(ctx, job)
	if err != nil {
		return leave.Job{}, err
	}
	return saved, s.Commit(ctx, job.Key)
}

// Delete removes job if the stored job has the version job.Version.
func (s *Store) Delete(ctx context.Context, job leave.Job) error {
	if err := s.memory.Delete(ctx, job); err != nil {
		return err
	}
	return s.Commit(ctx, job.Key)
}

// Merge merges copies of jobs into the stored jobs, in memory and on the disk. Another
// store may have changed the copies.
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

// Memory returns the store in memory that holds all jobs. If a caller changes a job
// only there, the change is lost when the process ends. Commit writes it to the disk.
func (s *Store) Memory() *memstore.Store { return s.memory }

// Close waits for running writes, and closes the file. Then other processes can open
// it.
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

// Commit waits until the jobs with these keys are on the disk as they are now. Without
// keys, it writes an empty record, which shows whether the disk still accepts writes.
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

// join adds keys to the group that the store writes next, and returns that group.
func (s *Store) join(keys []leave.Key) (*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.group == nil {
		s.group = &group{keys: map[leave.Key]struct{}{}, written: make(chan struct{})}
		// This cannot block. The channel wake has room for one value, and each value
		// stands for one group. There is no group now, so wake is empty.
		s.wake <- struct{}{}
	}
	for _, key := range keys {
		s.group.keys[key] = struct{}{}
	}
	return s.group, nil
}

// write writes one group after another to the disk, until Close is called. It reads the
// jobs of a group as late as possible. So if a job was changed several times, write
// writes only its last state.
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
