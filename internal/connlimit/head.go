package connlimit

import (
	"bytes"
	"time"
)

// These are the bounds on the head of a request, which consists of the request
// line and the headers. Heads are usually small, and every connection may have
// a small one. Only largeHeads connections at a time may have a larger head,
// because parsed headers take several times the memory of the bytes that
// arrived. Headers in many short lines take the most.
const (
	smallHead  = 4 << 10 // the most bytes of a head that is not large
	smallLines = 48
	largeHeads = 32
	// headWait is how long a connection waits at most for its turn to read a large
	// head.
	headWait = time.Second
	// maxLines is how many lines a head may have. Other servers allow 100 header
	// lines.
	maxLines = 128
	// A connection has one of the largeHeads turns while it reads a large head. If
	// the request then keeps fewer than maxKept bytes of the head in memory, the
	// turn ends as soon as the head is read. Otherwise the turn ends when the
	// request ends.
	maxKept = 1 << 10
)

// stream counts the bytes that are read from a connection. It finds out how large
// the current head is, and where the next request begins. It parses no more of HTTP
// than these two tasks need, and refuses nothing.
type stream struct {
	bytes, lines int // the bytes and lines of the current head that have arrived
	line         int // the bytes of the current line that have arrived
	cr           bool
	ended        bool

	// inBody means that the current head is complete and its body is still arriving.
	// behind is the number of bytes of the body that arrived together with the end of
	// the head.
	inBody bool
	body   int64
	behind int64
	// more means that the next request began to arrive before the current one was
	// answered. Then the connection must close after the answer. Otherwise the next
	// head could be larger than counted, because net/http already has some of its
	// bytes.
	more bool
}

// take counts the bytes p, which were read from the connection. Bytes after the end
// of a request belong to the head of the next request. The first byte of the next
// request can be read while the current request is still in progress, because
// net/http reads one byte ahead to notice when the client disconnects ([watch]).
func (s *stream) take(p []byte) {
	if s.inBody && s.body == 0 && !s.more {
		*s = stream{}
	}
	if s.inBody {
		s.body -= int64(len(p))
		s.more = s.body < 0
		return
	}
	for len(p) > 0 && !s.ended {
		p = s.takeLine(p)
	}
	s.behind += int64(len(p))
}

// takeLine counts one line of the head, or the part of the line that is in p. It
// returns the part of p after the line. An empty line ends the head.
func (s *stream) takeLine(p []byte) (rest []byte) {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		s.bytes += len(p)
		s.line += len(p)
		s.cr = p[len(p)-1] == '\r'
		return nil
	}
	s.bytes += end + 1
	s.line += end
	if end > 0 && p[end-1] == '\r' || end == 0 && s.cr {
		s.line--
	}
	s.ended = s.line == 0 && s.lines > 0
	s.lines++
	s.line, s.cr = 0, false
	return p[end+1:]
}

// headRead records that net/http has read the whole head. The parameter length is
// the length of the body in bytes, or -1 if it is unknown. Every byte after the
// body counts as part of the next request. If the length is unknown, every byte
// after the head counts as part of the next request.
func (s *stream) headRead(length int64) {
	s.inBody, s.body = true, length-s.behind
	s.more = s.body < 0
}

// isLarge reports whether the request head, as far as it has arrived, exceeds
// smallHead or smallLines.
func (s *stream) isLarge() bool { return !s.inBody && (s.bytes > smallHead || s.lines > smallLines) }

// isTooLong reports whether the head has more lines than maxLines.
func (s *stream) isTooLong() bool { return !s.inBody && s.lines > maxLines }
