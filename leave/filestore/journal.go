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
	// spare is how much a file may grow beyond twice what its jobs need.
	spare = 1 << 20
	// failurePause is how long after a failure the disk is left alone.
	failurePause = time.Second
)

// journal is the file of a store. One goroutine uses it.
type journal struct {
	locks *locks
	disk  disk
	path  string
	jobs  *memory
	clock *clock.Clock
	log   *slog.Logger
	spare int64

	out    *output // nil after a failure
	needed int64   // the size of out when it was complete

	next *output // the file that takes over, nil while none is needed
	rest []leave.Key

	failure error
	failed  time.Time

	setAside int // records that were left out at the start

	mu      sync.Mutex
	repairs repairs
	failing string // the failure, for others
}

// output is a file that lines are written to.
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

// write has the disk know what has become of the jobs of keys; it writes a line
// without any, too.
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

// writeLine writes one line and waits for the disk: no line is begun before
// the last one is safe.
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

// state returns the jobs of keys as they are now, by the wall clock: that is
// all that the next process has in common with this one.
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

// compact brings the successor a step ahead. As long as it has not taken over
// its failure does no harm: the file goes on growing until it is tried again.
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
		_ = j.fail(err) // for the writes to come: those that were made are safe
	default:
		j.abandon(err)
	}
}

// renew writes a successor at once, after a failure.
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
		j.log.Info("leave file: it is written again", "path", j.path)
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

// begin creates the successor. Which jobs it starts with is settled here; what
// changes from now on is added as it comes.
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

// advance adds some of the jobs that the successor does not have yet, or has it
// take over. Each step is synced, so that none has much to write.
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

// takeOver gives the successor the name of the file.
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
		old.Close() // all of it is in the new one
	}
	if err := j.disk.syncDir(filepath.Dir(j.path)); err != nil {
		// Which of the two would have the name after a crash is not known.
		j.out.Close()
		j.out = nil
		return err
	}
	return nil
}

// abandon gives the successor up, to be tried when the file has doubled again.
func (j *journal) abandon(err error) {
	j.log.Warn("leave file: writing it anew has failed; it grows until that is tried again", "path", j.path, "err", err)
	j.dropNext()
	j.needed = j.out.size
}

func (j *journal) dropNext() {
	if j.next == nil {
		return
	}
	j.next.Close()
	if err := j.disk.remove(j.successor()); err != nil {
		j.log.Warn("leave file: removing what is left", "err", err)
	}
	j.next, j.rest = nil, nil
}

// fail remembers that the disk cannot be relied on, and returns the error that
// writes get.
func (j *journal) fail(err error) error {
	if j.out != nil {
		j.out.Close()
		j.out = nil
	}
	j.dropNext()
	if j.failure == nil {
		j.log.Error("leave file: leaves are kept in memory alone until it can be written", "path", j.path, "err", err)
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
