package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/leave/memstore"
)

// Open opens the store in the file at path. If path is a symbolic link, Open uses the
// file to which the link leads. It creates the file if there is none. The directory
// must exist. All jobs in the file are due now ([leave.Job.Resumed]). The store gives
// and takes jobs with times by the clock clk. It writes these times into the file by the
// wall clock, because the next process has another clk. Open also creates the file
// path.lock, which stays. While the store replaces its file, there is also a file
// path.new.
//
// If the file is damaged, Open renames it to path.corrupt-<time>, logs that, and begins
// a new file with the readable jobs. If it cannot write the new file, Open logs that,
// too. Then each write fails until the file can be written. Open returns an error only
// for a problem that an operator must solve: there is no access, no directory or no
// regular file, or another process does not close the file within 15 s.
func Open(ctx context.Context, path string, clk *clock.Clock, log *slog.Logger) (*Store, error) {
	return open(ctx, path, clk, log, osDisk{}, spare)
}

func open(ctx context.Context, path string, clk *clock.Clock, log *slog.Logger, d disk, spare int64) (*Store, error) {
	if err := mustBeFile(path); err != nil {
		return nil, err
	}
	path, err := linked(path)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(ctx, path)
	if err != nil {
		return nil, err
	}
	j := &journal{locks: lock, disk: d, path: path, jobs: memstore.New(), clock: clk, log: log, spare: spare}
	if err := j.open(); err != nil {
		return nil, errors.Join(err, lock.close())
	}
	s := &Store{
		memory: j.jobs, journal: j,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	go s.write()
	return s, nil
}

// maxLinks is how many symbolic links the function linked follows. Linux follows the
// same number.
const maxLinks = 40

// linked returns the path of the file to which the symbolic links at path lead. The
// store uses this path when it replaces its file, so that the links stay.
func linked(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // there is no link at path
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", fmt.Errorf("the leave file %s is a link that leads to itself", path)
}

// open reads the file, and prepares it for writing. If it cannot go on with the file,
// it prepares a new one.
func (j *journal) open() error {
	found, err := load(j.path, j.jobs)
	if err != nil {
		return fmt.Errorf("the leave file cannot be read: %w", err)
	}
	resume(j.jobs, j.clock)
	if err := j.disk.remove(j.successor()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.log.Warn("leave file: cannot remove the unfinished file of a killed process", "err", err)
	}
	switch {
	case found.damage != nil:
		j.setAside = found.nBad
		if err := j.keepAside(found); err != nil {
			return err
		}
	case found.cut > 0:
		j.log.Info("leave file: the last write was cut off; no client was told that it had succeeded", "path", j.path, "bytes", found.cut)
	case found.size > 0:
		return j.goOn(found)
	}
	_ = j.renew() // renew logs its own failure, and later writes return it
	return nil
}

// resume makes all jobs from the file due now, because nobody knows for how long no
// process has worked on them. It does not write the new times to the file. The file
// gets them when the job next changes.
func resume(jobs *memory, clk *clock.Clock) {
	ctx, now, ahead := context.Background(), clk.Now(), clk.Ahead()
	for _, key := range jobs.Keys() {
		if job, err := jobs.Get(ctx, key); err == nil {
			job = job.Moved(-ahead).NotAhead(now).Resumed(now)
			_, _ = jobs.Save(ctx, job) // there is no conflict, because no other goroutine is writing yet
		}
	}
}

// goOn opens the file for appending. It syncs the directory, because a killed process
// may have renamed the file without a sync.
func (j *journal) goOn(found finding) error {
	f, err := j.disk.extend(j.path)
	if err != nil {
		return fmt.Errorf("the leave file cannot be written: %w", err)
	}
	j.out, j.needed = &output{f, found.salt, found.size}, found.needed
	if err := j.disk.syncDir(filepath.Dir(j.path)); err != nil {
		_ = j.fail(err) // later writes return this failure
	}
	return nil
}

// keepAside renames the damaged file, so that an operator can look at it.
func (j *journal) keepAside(found finding) error {
	aside := j.path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := j.disk.rename(j.path, aside); err != nil {
		return fmt.Errorf("the leave file is damaged (%w) and cannot be moved out of the way: %w", found.damage, err)
	}
	j.locks.replaceData(nil)
	if err := j.disk.syncDir(filepath.Dir(j.path)); err != nil {
		j.log.Warn("leave file: the damaged file was renamed, but a crash may still undo that", "path", aside, "err", err)
	}
	for _, r := range found.bad {
		j.log.Error("leave file: a record is not valid and is ignored", "kept_in", aside, "line", r.line, "offset", r.offset, "err", r.err)
	}
	j.log.Error("leave file: the file is damaged; a new file is begun with all leaves that can be read",
		"path", j.path, "kept_as", aside, "damage", found.damage, "left_out", found.nBad, "leaves", len(j.jobs.Keys()))
	return nil
}
