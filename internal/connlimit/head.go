package connlimit

import (
	"bytes"
	"time"
)

// What clients do send fits into a small head, which every connection may have.
// Larger ones are read for largeHeads connections at a time: in memory, the
// headers of a request take several times what they take on the wire, the more
// the shorter their lines are.
const (
	smallHead  = 4 << 10 // bytes
	smallLines = 48
	largeHeads = 32
	// headWait is how long a large head may wait for others to be read.
	headWait = time.Second
	// maxLines is how many lines a head may have at all: other servers take 100
	// headers.
	maxLines = 128
	// maxKept bounds what a request keeps of a large head, in bytes: with more, it
	// stays one of the large ones until its end.
	maxKept = 1 << 10
)

// stream follows what is read of a connection: how large the current head is,
// and what comes behind it. It knows as much of HTTP as that takes, and refuses
// nothing.
type stream struct {
	bytes, lines int // of the head, as far as it has come
	line         int // bytes of its last line, as far as that has come
	cr           bool
	ended        bool

	// inBody: net/http has read the head, and body bytes are still to come. behind
	// came with the end of the head, before that was known.
	inBody bool
	body   int64
	behind int64
	// more: the next request came before this one was answered. It may be large
	// already, and in the buffer of net/http nobody counts it.
	more bool
}

// take follows bytes that were read. A byte behind the whole request begins the
// next head: net/http waits for one while it answers, to hear of a client that
// goes away.
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

// takeLine follows one line of the head, or what has come of it, and returns what
// stands behind it. An empty line ends the head.
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

// headRead goes on with a body of that length, or -1 if its end is not told
// beforehand: what comes behind it is the next request's then, as far as anybody
// knows here.
func (s *stream) headRead(length int64) {
	s.inBody, s.body = true, length-s.behind
	s.more = s.body < 0
}

// isLarge reports whether the head is none that every connection may have.
func (s *stream) isLarge() bool { return !s.inBody && (s.bytes > smallHead || s.lines > smallLines) }

// isTooLong reports whether the head has more lines than any may have.
func (s *stream) isTooLong() bool { return !s.inBody && s.lines > maxLines }
