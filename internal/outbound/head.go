package outbound

// The bounds of one response's head, status line included. Parsed, each line
// takes some hundred bytes however short it is, so a head of 80 KiB could hold
// 2 MB for as long as its server drips. Homeservers and the proxies before them
// send 10 to 40 lines, of 4 KiB together at most.
const (
	maxHeadBytes = 16 << 10
	maxHeadLines = 128
)

// head counts a response's head as it arrives.
type head struct {
	bytes, lines int
	line         int // bytes of the line that is not over yet, without its CR
	ended        bool
}

// take counts p, as far as it belongs to the head: an empty line ends that. It
// reports whether the head is within its bounds.
func (h *head) take(p []byte) bool {
	for _, b := range p {
		if h.ended {
			break
		}
		h.bytes++
		switch b {
		case '\n':
			h.ended = h.line == 0
			h.lines++
			h.line = 0
		case '\r':
		default:
			h.line++
		}
	}
	return h.bytes <= maxHeadBytes && h.lines <= maxHeadLines+1 // the empty one
}
