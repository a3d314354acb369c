package connlimit

import (
	"bytes"
	"time"
)

// The bounds on the head (request line and headers) of a request. Usual heads
// are small, and every connection may have a small one. Only largeHeads
// connections at a time may have a larger one, because parsed headers take
// several times their size on the wire. Short lines take the most.
const (
	smallHead  = 4 << 10 // bytes
	smallLines = 48
	largeHeads = 32
	// headWait is how long a large head may wait for its turn.
	headWait = time.Second
	// maxLines is how many lines a head may have. Other servers allow 100
	// headers.
	maxLines = 128
	// maxKept bounds the bytes that a request keeps of a large head. A request
	// that keeps more has its turn until it ends.
	maxKept = 1 << 10
)

// stream follows the bytes read from a connection. It knows how large the
// current head is, and where the next request begins. It parses only as much of
// HTTP as this needs, and rejects nothing.
type stream struct {
	bytes, lines int // of the head so far
	line         int // bytes of its last line so far
	cr           bool
	ended        bool

	// inBody: net/http has read the head, and the body is still arriving. behind
	// counts body bytes that arrived together with the end of the head.
	inBody bool
	body   int64
	behind int64
	// more: the next request began to arrive before this one was answered. Its
	// head may be large, and the part in net/http's buffer is not counted.
	more bool
}

// take follows bytes that were read. A byte after the end of the request begins
// the next head: net/http reads one byte ahead while it answers a request that
// takes longer, to notice a client that disconnects ([watch]).
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

// takeLine follows one line of the head, or its first part, and returns the
// bytes after it. An empty line ends the head.
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

// headRead records that the head is complete, and that a body of length bytes
// follows; -1 means that its length is unknown. The bytes after a body of
// unknown length count as the next request.
func (s *stream) headRead(length int64) {
	s.inBody, s.body = true, length-s.behind
	s.more = s.body < 0
}

// isLarge reports whether the head is larger than a small one.
func (s *stream) isLarge() bool { return !s.inBody && (s.bytes > smallHead || s.lines > smallLines) }

// isTooLong reports whether the head has more lines than maxLines.
func (s *stream) isTooLong() bool { return !s.inBody && s.lines > maxLines }
