package filestore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"matrixrtc-auth/leave"
)

// finding is what reading a file has shown.
type finding struct {
	salt   uint32
	size   int64 // of what can be relied on; the rest was cut off
	needed int64 // up to and with "complete"
	cut    int64 // bytes behind size
	damage error // nil for none
	bad    []badRecord
	nBad   int // of which bad has the first
}

// badRecord is where what is no job stands.
type badRecord struct {
	line   int
	offset int64 // of the line
	err    error
}

// mostNamed is how many records that are no jobs are named.
const mostNamed = 10

// load reads the jobs in a file. What cannot be read of it is damage; an error
// is what no new file would help against.
func load(path string, jobs *memory) (finding, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return finding{}, nil
	}
	if err != nil {
		return finding{}, err
	}
	defer f.Close()
	return read(f, jobs), nil
}

// read reads the jobs of all lines that fit.
func read(r io.Reader, jobs *memory) finding {
	reader := lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	line, err := reader.next()
	if err != nil && err != io.EOF {
		return finding{damage: err}
	}
	if len(line) == 0 {
		return finding{damage: errors.New("it is empty")}
	}
	var h header
	if err := unseal(0, line, &h); err != nil || h.Format != format {
		return finding{damage: errors.New("line 1: it is not the beginning of a file of this program's version")}
	}
	f := finding{salt: h.Salt, size: reader.offset}
	f.readRecords(&reader, jobs)
	f.cut = reader.offset - f.size
	return f
}

// readRecords reads what is behind the header.
func (f *finding) readRecords(lines *lineReader, jobs *memory) {
	var unfit error // the first line that does not fit
	for n := 2; ; n++ {
		begin := lines.offset
		line, err := lines.next()
		if err != nil && err != io.EOF {
			f.found(fmt.Errorf("line %d: %w", n, err))
			break
		}
		if err == io.EOF && len(line) == 0 {
			break
		}
		var r found
		if err := unseal(f.salt, line, &r); err != nil {
			if unfit == nil {
				unfit = fmt.Errorf("line %d: %w", n, err)
			}
			if !errors.Is(err, errDamaged) {
				f.found(unfit)
			}
			continue
		}
		f.found(unfit)
		f.size = lines.offset
		if r.Complete && f.needed == 0 {
			f.needed = f.size
		}
		for _, err := range r.apply(jobs) {
			f.isNoJob(badRecord{n, begin, err})
		}
	}
	switch {
	case f.needed > 0:
	case unfit != nil:
		f.found(unfit)
	default:
		f.found(errors.New("its end is missing"))
	}
}

// found notes damage, the first that is found.
func (f *finding) found(damage error) {
	if f.damage == nil {
		f.damage = damage
	}
}

// isNoJob notes a record that is left out.
func (f *finding) isNoJob(r badRecord) {
	f.found(fmt.Errorf("line %d: %w", r.line, r.err))
	if f.nBad++; len(f.bad) < mostNamed {
		f.bad = append(f.bad, r)
	}
}

// apply makes of jobs what the record says, and returns why parts of it are no
// jobs. Leases ended with the process that had them, and versions mean nothing
// to a new one.
func (r found) apply(jobs *memory) (bad []error) {
	ctx := context.Background()
	for _, text := range r.Jobs {
		var job leave.Job
		if err := json.Unmarshal(text, &job); err != nil {
			bad = append(bad, err)
			continue
		}
		job.Lease, job.Version = leave.Lease{}, 0
		if old, err := jobs.Get(ctx, job.Key); err == nil {
			job.Version = old.Version
			_, _ = jobs.Save(ctx, job) // the version is the last: nobody else writes yet
		} else {
			_ = jobs.Merge(ctx, []leave.Job{job})
		}
	}
	for _, key := range r.Ended {
		if job, err := jobs.Get(ctx, leave.Key(key)); err == nil {
			_ = jobs.Delete(ctx, job)
		}
	}
	return bad
}

// lineReader reads lines and tells where they end.
type lineReader struct {
	r      *bufio.Reader
	offset int64 // behind the last line
	line   []byte
}

// next returns a line with its end, or the last one without. Of a line that is
// too long it returns the beginning. The line is good until the next call.
func (l *lineReader) next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		l.offset += int64(len(part))
		if len(l.line) < maxLine {
			l.line = append(l.line, part...)
		}
		if err != bufio.ErrBufferFull {
			return l.line, err
		}
	}
}
