// Package logqueue queues the lines of a logger in front of a file that may
// stop accepting them: a pipe whose reader stalls, or a full disk.
//
// A request only puts its line into a bounded queue. One goroutine writes the
// queue to the file, in order and in batches of whole lines. When the queue is
// full, new lines are dropped and counted, so a request never waits for the
// log.
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
	// maxBytes and maxLines bound the waiting lines: about 4,000 usual ones.
	maxBytes = 1 << 20
	maxLines = 8192
	// flushTime is how long a line may wait, so that others are written with it.
	// flushBytes of waiting lines end that wait.
	flushTime  = 100 * time.Millisecond
	flushBytes = 32 << 10
	// atomicBytes is the most bytes that a pipe accepts as a whole or not at all
	// (PIPE_BUF of Linux). With writes of that size, a killed process leaves no
	// partial line in a pipe.
	atomicBytes = 4096
	// stallTime is how long a write may take before Status reports it.
	stallTime = time.Second
	// retryTime is the time between two tries to write after a failure.
	retryTime = time.Second
	// closeTime bounds the time of Close.
	closeTime = time.Second
	// keptBytes bounds the memory that an empty queue keeps.
	keptBytes = 64 << 10
)

var (
	errFull = errors.New("logqueue: the queue is full")
	errDone = errors.New("logqueue: the queue is closed")
	errRest = errors.New("logqueue: Close could not write the last lines")
)

// Queue writes lines to a file. Start makes one.
type Queue struct {
	out     io.Writer
	handler slog.Handler // writes to the queue

	some    chan struct{} // has a value when the queue is no longer empty
	now     chan struct{} // has a value when the queue must be written at once
	closing chan struct{}
	ended   chan struct{}

	closeOnce sync.Once

	reported uint64 // how many of dropped the log has reported; only run uses it

	mu      sync.Mutex
	waiting []byte    // whole lines
	writing int       // bytes taken out of waiting that are not written yet
	lines   int       // the number of lines in waiting and in writing
	done    bool      // Close was called: nothing more is written
	dropped uint64    // the number of lines dropped since the start
	losing  bool      // a line was dropped since the queue was last empty
	began   time.Time // when the current write began; zero if there is none
	fault   error     // the error of the last write
}

// Start returns a queue in front of out. format makes the handler that formats
// records. It must write each as one line, as those of log/slog do.
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

// Close writes the waiting lines, within a second, and nothing after that. An
// error says that lines were not written.
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

// run writes lines until the queue is closed and empty, or closed and cannot be
// written.
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

// finish reports whether the queue is closed and empty. It then stays so.
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

// drain writes until the queue is empty. It returns false if the queue was
// closed before that was possible.
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

// take returns the waiting lines. The next lines are put into buffer, which
// must be empty.
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

// write writes the first lines of batch and returns how many bytes it wrote.
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

// firstLines returns as many whole lines as a pipe accepts at once, at least
// one.
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

// pause waits before a failed write is tried again. It returns false if the
// queue is closed: the failed try was the last one.
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
