package outbound

import (
	"strings"
	"testing"
)

// TestHeadIsBounded checks that the method take returns false for a head over the
// bounds, no matter in which pieces the head arrives. Bytes after the head must
// not count.
func TestHeadIsBounded(t *testing.T) {
	const status = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"small":              {status + "Content-Length: 2\r\n\r\n{}", true},
		"most lines":         {status + strings.Repeat("a:\r\n", maxHeadLines-1) + "\r\n", true},
		"one line more":      {status + strings.Repeat("a:\r\n", maxHeadLines) + "\r\n", false},
		"bare newlines":      {status + strings.Repeat("a:\n", maxHeadLines) + "\n", false},
		"most bytes":         {status + "X: " + strings.Repeat("x", maxHeadBytes-len(status)-len("X: \r\n\r\n")) + "\r\n\r\n", true},
		"one byte more":      {status + "X: " + strings.Repeat("x", maxHeadBytes-len(status)-len("X: \r\n\r\n")+1) + "\r\n\r\n", false},
		"no end":             {status + "X: " + strings.Repeat("x", maxHeadBytes), false},
		"lines in a body":    {status + "\r\n" + strings.Repeat("\n", 10*maxHeadLines), true},
		"a body of bytes":    {status + "\r\n" + strings.Repeat("x", 10*maxHeadBytes), true},
		"a line of CRs":      {status + strings.Repeat("\r", maxHeadBytes), false},
		"lines without text": {strings.Repeat("\r\n", 10*maxHeadLines), true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 7, len(c.text)} {
				var h head
				got := true
				for rest := c.text; rest != "" && got; rest = rest[min(piece, len(rest)):] {
					got = h.take([]byte(rest[:min(piece, len(rest))]))
				}
				if got != c.want {
					t.Errorf("%s, in pieces of %d bytes: within bounds %v, want %v", name, piece, got, c.want)
				}
			}
		})
	}
}
