package filestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/leave"
)

const (
	// spare is a number of bytes. A file may have twice the size that its jobs need,
	// plus spare. If it is larger, the journal writes a smaller one.
	spare = 1 << 20
	// failurePause is how long the journal waits after a failure before it uses the
	// disk again.
	failurePause = time.Second
)

// journal writes the file of a store. Only one goroutine uses a journal.
type journal struct {
	locks *locks
	disk  disk
	path  string
	jobs  *memory
	clock *clock.Clock
	log   *slog.Logger
	spare int64

	out    *output // the file to which the journal appends lines; nil after a failure
	needed int64   // the size of out when all jobs had just been copied into it

	next *output // the successor, a new file that will replace out; nil if the journal is not writing one
	rest []leave.Key

	failure error
	failed  time.Time

	setAside int // how many invalid records the file had when this process read it

	mu      sync.Mutex
	repairs repairs
	failing string // the text of the last failure, for other goroutines
}

// output is a file to which the journal appends lines.
type output struct {
	file
	salt uint32
	size int64
}

func (o *output) add(v any) error {
	line, err := seal(o.salt, v)
	if err != nil {
		return err
	}
	n, err := o.Write(line)
	o.size += int64(n)
	return err
}

// write writes the jobs with these keys to the disk, as they are now. If keys is empty,
// it writes an empty record, which shows whether the disk still accepts writes.
func (j *journal) write(keys []leave.Key) error {
	if j.out == nil {
		return j.renew()
	}
	for rest := keys; ; {
		some := rest[:min(maxJobs, len(rest))]
		if err := j.writeLine(some); err != nil {
			return j.fail(err)
		}
		if rest = rest[len(some):]; len(rest) == 0 {
			break
		}
	}
	if why := j.lost(); why != "" {
		return j.repair(why)
	}
	if j.next != nil || j.out.size > 2*j.needed+j.spare {
		j.compact()
	}
	return nil
}

// writeLine writes one line and syncs it. So the next line begins only when this line
// is on the disk.
func (j *journal) writeLine(keys []leave.Key) error {
	r := j.state(keys)
	if err := j.out.add(r); err != nil {
		return err
	}
	if err := j.out.Sync(); err != nil {
		return err
	}
	if j.next != nil {
		if err := j.next.add(r); err != nil {
			j.abandon(err)
		}
	}
	return nil
}

// state returns the jobs with these keys as they are now. Their times are by the wall
// clock, because the next process has no other clock in common with this one.
func (j *journal) state(keys []leave.Key) record {
	var r record
	ahead := j.clock.Ahead()
	for _, key := range keys {
		if job, err := j.jobs.Get(context.Background(), key); err == nil {
			r.Jobs = append(r.Jobs, job.Moved(ahead))
		} else {
			r.Ended = append(r.Ended, ended(key))
		}
	}
	return r
}

// compact makes one step in writing the successor: a smaller file that will replace the
// present file. If a step fails before the replacement, the present file keeps growing,
// and compact tries again later.
func (j *journal) compact() {
	var err error
	if j.next == nil {
		err = j.begin()
	} else {
		err = j.advance()
	}
	switch {
	case err == nil:
	case j.out == nil:
		_ = j.fail(err) // the lines in the file are safe; later writes fail until the disk works again
	default:
		j.abandon(err)
	}
}

// renew writes a complete new file after a failure, and replaces the old file. If the
// last failure was less than failurePause ago, it does nothing and returns that
// failure.
func (j *journal) renew() error {
	if time.Since(j.failed) < failurePause {
		return j.failure
	}
	err := j.clear()
	if err == nil {
		err = j.begin()
	}
	for err == nil && j.next != nil {
		err = j.advance()
	}
	if err != nil {
		return j.fail(err)
	}
	if j.failure != nil {
		j.log.Info("leave file: the file can be written again", "path", j.path)
	}
	j.setFailure(nil)
	return nil
}

func (j *journal) setFailure(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failure, j.failing = err, ""
	if err != nil {
		j.failing = err.Error()
	}
}

// begin creates the successor, the file that will replace the present one. It puts the
// keys of all jobs into rest. Calls of advance will copy these jobs. From now on, the
// journal also appends each change to the successor.
func (j *journal) begin() error {
	f, err := j.disk.create(j.successor())
	if err != nil {
		return err
	}
	j.next, j.rest = &output{file: f}, j.jobs.Keys()
	h := header{Format: format, Salt: rand.Uint32()}
	err = j.next.add(h)
	j.next.salt = h.Salt
	return err
}

func (j *journal) successor() string { return j.path + ".new" }

// advance copies up to maxJobs of the jobs in rest into the successor, and syncs the
// successor. If rest is empty, the successor replaces the present file.
func (j *journal) advance() error {
	if len(j.rest) == 0 {
		return j.takeOver()
	}
	some := j.rest[:min(maxJobs, len(j.rest))]
	j.rest = j.rest[len(some):]
	if err := j.next.add(record{Jobs: j.state(some).Jobs}); err != nil {
		return err
	}
	return j.next.Sync()
}

// takeOver makes the successor, the new file with all jobs, the store's file: it
// renames the successor to path.
func (j *journal) takeOver() error {
	if err := j.next.add(record{Complete: true}); err != nil {
		return err
	}
	if err := j.next.Sync(); err != nil {
		return err
	}
	data, err := lockedFile(j.successor())
	if err != nil {
		return err
	}
	if err := j.disk.rename(j.successor(), j.path); err != nil {
		data.Close()
		return err
	}
	j.locks.replaceData(data)
	old := j.out
	j.out, j.needed, j.next = j.next, j.next.size, nil
	if old != nil {
		old.Close() // the new file has everything that the old file had
	}
	if err := j.disk.syncDir(filepath.Dir(j.path)); err != nil {
		// After a power failure, either the old file or the new file may be at path. So
		// the journal must not write to either of them now.
		j.out.Close()
		j.out = nil
		return err
	}
	return nil
}

// abandon removes the unfinished smaller file that was to replace the current one
// (j.next), after the error err. The journal tries again to write a smaller file when
// the current file has doubled in size once more.
func (j *journal) abandon(err error) {
	j.log.Warn("leave file: a smaller file could not be written; the file grows until the next try", "path", j.path, "err", err)
	j.dropNext()
	j.needed = j.out.size
}

func (j *journal) dropNext() {
	if j.next == nil {
		return
	}
	j.next.Close()
	if err := j.disk.remove(j.successor()); err != nil {
		j.log.Warn("leave file: the unfinished replacement of the leave file could not be removed", "err", err)
	}
	j.next, j.rest = nil, nil
}

// fail records that a write has failed, and closes the leave file. It returns the error
// that all writes return until renew has written a new file.
func (j *journal) fail(err error) error {
	if j.out != nil {
		j.out.Close()
		j.out = nil
	}
	j.dropNext()
	if j.failure == nil {
		j.log.Error("leave file: the file cannot be written; leaves are kept only in memory until a write succeeds", "path", j.path, "err", err)
	}
	j.failed = time.Now()
	j.setFailure(fmt.Errorf("writing the leave file %s: %w", j.path, err))
	return j.failure
}

func (j *journal) close() error {
	var errs []error
	if j.out != nil {
		errs = append(errs, j.out.Close())
	}
	j.dropNext()
	return errors.Join(errs...)
}
