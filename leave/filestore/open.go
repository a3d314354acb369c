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

// Open opens the store in the file at path, or where a symbolic link there leads
// to, or begins it; the directory must be there. All jobs in it are due at once ([leave.Job.Resumed]). Their times
// are clk's; in the file they are the wall clock's, for the next process. Beside
// the file there are path.lock, which stays, and path.new while the file is
// written anew.
//
// A damaged file is renamed to path.corrupt-<time>, reported to log, and a new
// one begun with what could be read of it. When the disk does not take the new
// file either, that is reported too, and every write tells of it until it
// does. Errors are those that only somebody else can help against: no access,
// no directory, what is no file, or another process that does not give it up for
// 15 s.
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

// maxLinks is how many links Linux follows, too.
const maxLinks = 40

// linked returns where the file is when its path is a symbolic link: what takes
// its place later must not take the link's.
func linked(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // it is none
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", fmt.Errorf("the leave file %s is a link that leads to itself", path)
}

// open reads the file and makes it, or a new one, ready to be written.
func (j *journal) open() error {
	found, err := load(j.path, j.jobs)
	if err != nil {
		return fmt.Errorf("the leave file cannot be read: %w", err)
	}
	resume(j.jobs, j.clock)
	if err := j.disk.remove(j.successor()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.log.Warn("leave file: removing what a process left that was killed", "err", err)
	}
	switch {
	case found.damage != nil:
		j.setAside = found.nBad
		if err := j.keepAside(found); err != nil {
			return err
		}
	case found.cut > 0:
		j.log.Info("leave file: the last write was cut off; it had not been acknowledged", "path", j.path, "bytes", found.cut)
	case found.size > 0:
		return j.goOn(found)
	}
	_ = j.renew() // which reports its failure, and writes will meet it
	return nil
}

// resume has everything due that was read, by the wall clock of its time: how
// long nobody looked after it is not known. The disk learns of it with the next
// write to each job.
func resume(jobs *memory, clk *clock.Clock) {
	ctx, now, ahead := context.Background(), clk.Now(), clk.Ahead()
	for _, key := range jobs.Keys() {
		if job, err := jobs.Get(ctx, key); err == nil {
			job = job.Moved(-ahead).NotAhead(now).Resumed(now)
			_, _ = jobs.Save(ctx, job) // the version is the last: nobody else writes yet
		}
	}
}

// goOn writes behind what is in the file. A process that was killed may have
// given it its name, but not made that last.
func (j *journal) goOn(found finding) error {
	f, err := j.disk.extend(j.path)
	if err != nil {
		return fmt.Errorf("the leave file cannot be written: %w", err)
	}
	j.out, j.needed = &output{f, found.salt, found.size}, found.needed
	if err := j.disk.syncDir(filepath.Dir(j.path)); err != nil {
		_ = j.fail(err) // as in open
	}
	return nil
}

// keepAside gives a damaged file another name.
func (j *journal) keepAside(found finding) error {
	aside := j.path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := j.disk.rename(j.path, aside); err != nil {
		return fmt.Errorf("the leave file is damaged (%w) and cannot be moved out of the way: %w", found.damage, err)
	}
	j.locks.replaceData(nil)
	if err := j.disk.syncDir(filepath.Dir(j.path)); err != nil {
		j.log.Warn("leave file: the new name may not last", "path", aside, "err", err)
	}
	for _, r := range found.bad {
		j.log.Error("leave file: a record is left out", "kept_in", aside, "line", r.line, "offset", r.offset, "err", r.err)
	}
	j.log.Error("leave file: it is damaged; a new one is begun with what can be read",
		"path", j.path, "kept_as", aside, "damage", found.damage, "left_out", found.nBad, "leaves", len(j.jobs.Keys()))
	return nil
}
