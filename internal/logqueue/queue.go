// Package logqueue keeps the lines of a logger in a queue before they are written
// to a file, because the file may stop accepting them: it may be a pipe whose
// reader hangs, or be on a full disk.
//
// A request only puts its line into the queue, whose size is bounded. One goroutine
// writes the lines to the file, in order and several with each write. If the queue
// is full, new lines are dropped and counted. So a request never waits for the log.
package logqueue

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// The bounds of the queue, and of the time that its actions may take.
const (
	// maxBytes and maxLines bound the lines in the queue. The queue has space for
	// about 4,000 lines of the usual length.
	maxBytes = 1 << 20
	maxLines = 8192
	// flushTime is how long a line waits, so that later lines are written together
	// with it. The wait ends earlier if the waiting lines have flushBytes bytes, or
	// if a warning or an error is logged.
	flushTime  = 100 * time.Millisecond
	flushBytes = 32 << 10
	// atomicBytes is the most bytes that a pipe accepts either as a whole or not
	// at all (PIPE_BUF of Linux). If each write has at most that size, a process
	// that is killed leaves no partial line in a pipe.
	atomicBytes = 4096
	// stallTime is how long a write may take before Status reports that lines wait.
	stallTime = time.Second
	// retryTime is the time between two tries to write after a failure.
	retryTime = time.Second
	// closeTime bounds how long Close takes.
	closeTime = time.Second
	// keptBytes bounds how much memory an empty queue keeps for later lines.
	keptBytes = 64 << 10
)

var (
	errFull = errors.New("logqueue: the queue is full")
	errDone = errors.New("logqueue: the queue is closed")
	errRest = errors.New("logqueue: Close could not write the last lines")
)

// Queue writes lines to a file. Start returns one.
type Queue struct {
	out     io.Writer
	handler slog.Handler // formats lines and writes them into the queue

	some    chan struct{} // holds a value when the queue is no longer empty
	now     chan struct{} // holds a value when the lines must be written immediately
	closing chan struct{}
	ended   chan struct{}

	closeOnce sync.Once

	reported uint64 // how many of the dropped lines the log has reported; only run uses it

	mu      sync.Mutex
	waiting []byte    // the lines that are not being written yet; each line is complete
	writing int       // how many bytes were taken from waiting and are not written yet
	lines   int       // the number of lines that wait or are being written
	done    bool      // whether Close has ended; after that nothing is written
	dropped uint64    // how many lines were dropped since the start
	losing  bool      // whether a line was dropped since the queue was last empty
	began   time.Time // when the current write began; zero if no write is in progress
	fault   error     // the error of the last write
}

// Start returns a queue that writes lines to out. The function format makes the
// handler that formats records. This handler must write each record as one line,
// like the handlers of log/slog.
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

// writer is what the formatting handler writes to. A write to it never waits.
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

// signal puts a value into c, a channel with space for one value, unless c
// already holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Close writes the lines that wait. It takes at most a second. After Close, nothing
// is written. An error says that some lines were not written.
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

// run writes lines until the queue is closed. Then it returns when the queue is
// empty, or when a write fails.
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

// finish reports whether the queue is closed and empty. In this case it makes the
// queue accept no more lines.
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

// gather waits for more lines, so that they are written together.
func (q *Queue) gather() {
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.now:
	case <-q.closing:
	}
}

// drain writes lines until the queue is empty. It returns false if the queue was
// closed and its last write has failed.
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

// take returns the lines that wait. The queue then puts the next lines into buffer,
// which must be empty.
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

// write writes the first lines of batch. It returns how many bytes it wrote. If ok
// is false, the write failed, and the caller may write the remaining bytes again.
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

// firstLines returns as many complete lines as fit into atomicBytes. It returns at
// least one line.
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

// pause waits between a failed write and the next try. If the queue is closed
// already, it returns false immediately, because there is no next try.
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
