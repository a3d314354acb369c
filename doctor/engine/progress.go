package engine

import (
	"fmt"
	"io"
)

// Teller shows how far the run is, on one line of a terminal. If the output is
// not a terminal, it writes nothing.
type Teller struct {
	W        io.Writer
	Terminal bool
}

// Ended is the [Progress] of a run.
func (p *Teller) Ended(id string, _ Status, left int) {
	switch {
	case p.Terminal && left == 0:
		fmt.Fprint(p.W, "\r\x1b[K")
	case p.Terminal:
		fmt.Fprintf(p.W, "\r\x1b[K%s: %s left", id, plural(left, "check"))
	}
}
