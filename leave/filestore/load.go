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

// finding is what the store has found in a file.
type finding struct {
	salt   uint32
	size   int64 // where the last valid line ends
	needed int64 // where the first line with "complete" ends; 0 if there is no such line
	cut    int64 // how many bytes follow the last valid line
	damage error // why the file counts as damaged; nil if it is not damaged
	bad    []badRecord
	nBad   int // how many invalid records the file has; bad holds only the first ones
}

// badRecord says where an invalid record is, and what is wrong with it.
type badRecord struct {
	line   int
	offset int64 // where in the file the line begins
	err    error
}

// mostNamed is how many invalid records the log names at most.
const mostNamed = 10

// load reads the jobs from a file. If parts of the file are unreadable, the finding
// says that the file is damaged. load returns an error only if it cannot open the file.
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

// read reads the jobs from all valid lines of a leave file.
func read(r io.Reader, jobs *memory) finding {
	reader := lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	line, err := reader.next()
	if err != nil && err != io.EOF {
		return finding{damage: err}
	}
	if len(line) == 0 {
		return finding{damage: errors.New("the file is empty")}
	}
	var h header
	if err := unseal(0, line, &h); err != nil || h.Format != format {
		return finding{damage: errors.New("line 1: the header of a leave file is missing, or of another version")}
	}
	f := finding{salt: h.Salt, size: reader.offset}
	f.readRecords(&reader, jobs)
	f.cut = reader.offset - f.size
	return f
}

// readRecords reads all lines after the header, which is the first line.
func (f *finding) readRecords(lines *lineReader, jobs *memory) {
	var unfit error // the error of the first invalid line
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
		f.found(errors.New("the line \"complete\", the end of the first part, is missing"))
	}
}

// found records why the file is damaged. It does nothing if an earlier reason is
// already recorded.
func (f *finding) found(damage error) {
	if f.damage == nil {
		f.damage = damage
	}
}

// isNoJob counts the invalid record r. It keeps only the first mostNamed invalid
// records.
func (f *finding) isNoJob(r badRecord) {
	f.found(fmt.Errorf("line %d: %w", r.line, r.err))
	if f.nBad++; len(f.bad) < mostNamed {
		f.bad = append(f.bad, r)
	}
}

// apply puts the jobs of the record into jobs, and returns the errors of invalid jobs.
// It leaves out leases, because they ended with the process that wrote them. It also
// leaves out versions, because they have a meaning only within one process.
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
			_, _ = jobs.Save(ctx, job) // there is no conflict, because no other goroutine is writing yet
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

// lineReader reads lines, and records where they end in the file.
type lineReader struct {
	r      *bufio.Reader
	offset int64 // where the line that was last read ends
	line   []byte
}

// next returns the next line, including its line end. Only the last line of a file may
// lack a line end. If a line is too long, next returns only its beginning. The caller
// may use the line until the next call.
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
