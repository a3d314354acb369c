package outbound

// These are the bounds on the head of one response, including the status line.
// A parsed line takes some hundred bytes, however short it is. A head of 80 KiB
// could therefore take 2 MB of memory while its server goes on sending.
// Homeservers and their proxies send 10 to 40 lines with at most 4 KiB
// together.
const (
	maxHeadBytes = 16 << 10
	maxHeadLines = 128
)

// head counts the bytes and lines of a response's head while they arrive.
type head struct {
	bytes, lines int
	line         int // how many bytes of the current line have arrived, without the CR
	ended        bool
}

// take counts the bytes of p that belong to the head. An empty line ends the
// head. take reports whether the head is within its bounds so far.
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
	return h.bytes <= maxHeadBytes && h.lines <= maxHeadLines+1 // the empty line at the end also counts
}
