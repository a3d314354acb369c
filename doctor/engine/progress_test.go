package engine

import (
	"bytes"
	"testing"
)

// TestProgress: a line for each check in a log, one that changes at a terminal.
func TestProgress(t *testing.T) {
	for terminal, want := range map[bool]string{
		false: "a.one: ok (1 left)\na.two: ok (0 left)\n",
		true:  "\r\x1b[Ka.one: 1 checks left\r\x1b[K",
	} {
		var b bytes.Buffer
		p := &Teller{W: &b, Terminal: terminal}
		for i, id := range []string{"a.one", "a.two"} {
			p.Ended(id, OK, 1-i)
		}
		if b.String() != want {
			t.Errorf("terminal %v: %q, want %q", terminal, b.String(), want)
		}
	}
}
