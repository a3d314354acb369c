package outbound

// The bounds on the head of one response, status line included. A parsed line
// takes some hundred bytes however short it is. So a head of 80 KiB could hold
// 2 MB of memory for as long as its server keeps sending. Homeservers and their
// proxies send 10 to 40 lines, of 4 KiB together at most.
const (
	maxHeadBytes = 16 << 10
	maxHeadLines = 128
)

// head counts the head of a response as it arrives.
type head struct {
	bytes, lines int
	line         int // bytes of the current line so far, without its CR
	ended        bool
}

// take counts the bytes of p up to the empty line that ends the head. It
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
	return h.bytes <= maxHeadBytes && h.lines <= maxHeadLines+1 // the empty line counts too
}
