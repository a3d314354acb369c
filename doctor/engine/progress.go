package engine

import (
	"fmt"
	"io"
)

// Teller tells how far the run is: on a line of its own that changes at a
// terminal, else a line for each check.
type Teller struct {
	W        io.Writer
	Terminal bool
}

// Ended is the [Progress] of a run.
func (p *Teller) Ended(id string, status Status, left int) {
	switch {
	case p.Terminal && left == 0:
		fmt.Fprint(p.W, "\r\x1b[K")
	case p.Terminal:
		fmt.Fprintf(p.W, "\r\x1b[K%s: %d checks left", id, left)
	default:
		fmt.Fprintf(p.W, "%s: %s (%d left)\n", id, status, left)
	}
}
