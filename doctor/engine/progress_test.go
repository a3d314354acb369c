package engine

import (
	"bytes"
	"fmt"
	"testing"
)

// TestProgress checks that Teller shows the progress on one changing line of a
// terminal. If the output is not a terminal, it must write nothing.
func TestProgress(t *testing.T) {
	for terminal, want := range map[bool]string{
		false: "",
		true:  "\r\x1b[Ka.one: 1 check left\r\x1b[K",
	} {
		t.Run(fmt.Sprintf("terminal=%t", terminal), func(t *testing.T) {
			var b bytes.Buffer
			p := &Teller{W: &b, Terminal: terminal}
			for i, id := range []string{"a.one", "a.two"} {
				p.Ended(id, OK, 1-i)
			}
			if b.String() != want {
				t.Errorf("terminal %v: %q, want %q", terminal, b.String(), want)
			}
		})
	}
}
