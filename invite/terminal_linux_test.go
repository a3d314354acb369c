package invite

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"matrixrtc-auth/testlink"
)

// newTerminal returns a terminal that is so wide; 0 is one that does not say.
func newTerminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
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
		t.Errorf("what is no terminal gets %q", got)
	}
}
