package invite

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"matrixrtc-auth/internal/terminaltest"
	"matrixrtc-auth/testlink"
)

// newTerminal returns a terminal with this number of columns. With 0 columns
// the terminal does not tell its width.
func newTerminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	_, terminal := terminaltest.Open(t, columns, 24)
	return terminal
}

// TestNarrowTerminal checks that a terminal that is too narrow for the QR code
// gets the reason in place of the code.
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
	// A link that is too long for a QR code is printed nevertheless.
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
