package engine

import (
	"fmt"
	"io"
)

// Teller shows the progress of a run on one line of a terminal. If the output
// is not a terminal, Teller shows nothing.
type Teller struct {
	W        io.Writer
	Terminal bool
}

// Ended shows which check has ended, and how many are left. It is a [Progress].
func (p *Teller) Ended(id string, _ Status, left int) {
	switch {
	case p.Terminal && left == 0:
		fmt.Fprint(p.W, "\r\x1b[K")
	case p.Terminal:
		fmt.Fprintf(p.W, "\r\x1b[K%s: %s left", id, plural(left, "check"))
	}
}
