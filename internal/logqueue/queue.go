// Package logqueue stands between a logger and a file that may stop taking
// lines: a pipe whose reader stalls, or a full disk.
//
// A request only puts its line into a bounded queue. One goroutine writes the
// queue to the file, in order and in batches of whole lines. When the queue is
// full, new lines are dropped and counted, so a request never waits for the log.
package logqueue

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// The bounds of the queue and of each wait.
const (
	// maxBytes and maxLines bound what waits: about 4,000 usual lines.
	maxBytes = 1 << 20
	maxLines = 8192
	// flushTime is how long a line may wait for others to be written with it,
	// flushBytes how many bytes of them end that wait.
	flushTime  = 100 * time.Millisecond
	flushBytes = 32 << 10
	// atomicBytes is what a pipe takes whole or not at all (PIPE_BUF of Linux):
	// a process that is killed leaves no half line there.
	atomicBytes = 4096
	// stallTime is how long one write may take until Status tells of it.
	stallTime = time.Second
	// retryTime is the time between two attempts at a file that fails.
	retryTime = time.Second
	// closeTime bounds the wait of Close.
	closeTime = time.Second
	// keptBytes bounds the memory that an empty queue keeps.
	keptBytes = 64 << 10
)

var (
	errFull = errors.New("logqueue: the queue is full")
	errDone = errors.New("logqueue: the queue is closed")
	errRest = errors.New("logqueue: the last lines were not written")
)

// Queue writes lines to a file. Start makes one.
type Queue struct {
	out     io.Writer
	handler slog.Handler // writes to the queue

	some    chan struct{} // holds a value when the queue is no longer empty
	now     chan struct{} // holds a value when it should be written at once
	closing chan struct{}
	ended   chan struct{}

	closeOnce sync.Once

	reported uint64 // how many of dropped the log has told of; only run uses it

	mu      sync.Mutex
	waiting []byte    // whole lines
	writing int       // bytes that were taken out of waiting and are not written yet
	lines   int       // in both
	done    bool      // nothing is written any more
	dropped uint64    // lines, since the start
	losing  bool      // a line was dropped since the queue was empty last
	began   time.Time // of the write that is under way; zero if none is
	fault   error     // of the last write
}

// Start returns a queue before out. format makes the handler that formats
// records; it must write each as one line, as those of log/slog do.
func Start(out io.Writer, format func(io.Writer) slog.Handler) *Queue {
	q := &Queue{
		out:     out,
		some:    make(chan struct{}, 1),
		now:     make(chan struct{}, 1),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	q.handler = format(writer{q})
	go q.run()
	return q
}

// writer is what the formatting handler writes to. It never waits.
type writer struct{ q *Queue }

func (w writer) Write(line []byte) (int, error) {
	if err := w.q.add(line); err != nil {
		return 0, err
	}
	return len(line), nil
}

func (q *Queue) add(line []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.done {
		return errDone
	}
	if q.writing+len(q.waiting)+len(line) > maxBytes || q.lines >= maxLines {
		q.dropped++
		q.losing = true
		return errFull
	}
	before := len(q.waiting)
	q.waiting = append(q.waiting, line...)
	q.lines++
	if before == 0 {
		signal(q.some)
	}
	if before < flushBytes && len(q.waiting) >= flushBytes {
		signal(q.now)
	}
	return nil
}

// signal leaves a value in a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Status says how the log does.
type Status struct {
	// Waiting counts the lines that are not written yet.
	Waiting int
	// Dropped counts the lines that were lost since the start.
	Dropped uint64
	// Trouble says that lines wait or are lost now, "" while all is well. It is
	// one of two sentences of ours.
	Trouble string
	// Cause is why the file does not take them, nil while it does or just does
	// not answer.
	Cause error
}

// What Status says of a file that does not take what is written.
const (
	LinesWait    = "the log cannot be written: lines wait"
	LinesAreLost = "the log cannot be written: lines are lost"
)

// Status returns how the log does now.
func (q *Queue) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Status{Waiting: q.lines, Dropped: q.dropped, Cause: q.fault}
	switch {
	case q.losing:
		s.Trouble = LinesAreLost
	case q.fault != nil, !q.began.IsZero() && time.Since(q.began) >= stallTime:
		s.Trouble = LinesWait
	}
	return s
}

// Close has what waits written, for a second at most, and nothing after that.
// The error says that lines were left over.
func (q *Queue) Close() error {
	q.closeOnce.Do(func() { close(q.closing) })
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-q.ended:
	case <-timer.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = true
	if q.lines > 0 {
		return errors.Join(errRest, q.fault)
	}
	return nil
}

// run writes what comes until the queue is closed and empty, or closed and
// cannot be emptied.
func (q *Queue) run() {
	defer close(q.ended)
	for {
		select {
		case <-q.some:
			q.gather()
		case <-q.closing:
		}
		if !q.drain() {
			return
		}
		q.report()
		if q.finish() {
			return
		}
	}
}

// finish reports whether the queue is closed and empty; then it stays so.
func (q *Queue) finish() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = q.isClosing() && q.lines == 0
	return q.done
}

func (q *Queue) isClosing() bool {
	select {
	case <-q.closing:
		return true
	default:
		return false
	}
}

// gather waits for more lines.
func (q *Queue) gather() {
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.now:
	case <-q.closing:
	}
}

// drain writes until nothing waits. It is false when the queue was
// closed before all could be written.
func (q *Queue) drain() bool {
	var batch []byte
	for {
		batch = q.take(batch[:0])
		if len(batch) == 0 {
			return true
		}
		for rest := batch; len(rest) > 0; {
			n, ok := q.write(rest)
			if rest = rest[n:]; !ok && !q.pause() {
				return false
			}
		}
	}
}

// take returns the lines that wait and leaves buffer in their place.
func (q *Queue) take(buffer []byte) []byte {
	if cap(buffer) > keptBytes {
		buffer = nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.waiting
	q.waiting, q.writing = buffer, len(batch)
	if len(batch) == 0 {
		q.losing = false
	}
	return batch
}

// write writes the first lines of batch and returns how many bytes are written.
// After a failure the rest can be written again.
func (q *Queue) write(batch []byte) (n int, ok bool) {
	q.mu.Lock()
	q.began = time.Now()
	q.mu.Unlock()
	n, err := q.out.Write(firstLines(batch))
	q.mu.Lock()
	q.began, q.fault = time.Time{}, err
	q.writing -= n
	q.lines -= bytes.Count(batch[:n], newline)
	q.mu.Unlock()
	return n, err == nil
}

var newline = []byte("\n")

// firstLines returns as many whole lines as a pipe takes at once, at least one.
func firstLines(batch []byte) []byte {
	if len(batch) <= atomicBytes {
		return batch
	}
	if end := bytes.LastIndexByte(batch[:atomicBytes], '\n'); end >= 0 {
		return batch[:end+1]
	}
	if end := bytes.IndexByte(batch, '\n'); end >= 0 {
		return batch[:end+1]
	}
	return batch
}

// pause waits before a failed write is tried again. It is false when the queue
// is closed already: the attempt that failed was the last.
func (q *Queue) pause() bool {
	if q.isClosing() {
		return false
	}
	timer := time.NewTimer(retryTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.closing:
	}
	return true
}
