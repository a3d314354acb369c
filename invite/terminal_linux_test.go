package invite

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"matrixrtc-auth/internal/terminaltest"
	"matrixrtc-auth/testlink"
)

// newTerminal returns a terminal that is so wide; 0 is one that does not say.
func newTerminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	_, terminal := terminaltest.Open(t, columns, 24)
	return terminal
}

// A terminal that is too narrow for the code gets the reason in its place.
func TestNarrowTerminal(t *testing.T) {
	link := "https://jwt.example.org/test#" + strings.Repeat("k", testlink.Length)
	for columns, want := range map[uint16]string{80: "█", 41: "█", 0: "█", 40: "The QR code takes 41 columns; this terminal has 40.\n"} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			got := draw(newTerminal(t, columns), link)
			if !strings.Contains(got, want) || columns == 40 && got != want {
				t.Errorf("draw at %d columns: %q, want %q", columns, got, want)
			}
		})
	}
	// What no code can hold is a link all the same.
	if got := draw(newTerminal(t, 80), link+strings.Repeat("k", 3000)); !strings.HasPrefix(got, "There is no QR code: ") || strings.Count(got, "\n") != 1 {
		t.Errorf("a link of 3 kB: %q; want a line that it has no code", got)
	}
	pipe, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if got := draw(pipe, link); got != "" {
		t.Errorf("draw on a pipe: got %q, want nothing", got)
	}
}
