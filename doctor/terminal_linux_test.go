package doctor

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"matrixrtc-auth/internal/terminaltest"
)

// TestTokenIsNotShown checks that a terminal does not show a token while a
// person types it. The terminal must show again what the person types
// afterwards.
func TestTokenIsNotShown(t *testing.T) {
	person, terminal := terminaltest.Open(t, 0, 0)
	var said bytes.Buffer
	o := Options{TokenFile: "-"}
	read := make(chan error, 1)
	go func() { read <- o.readToken(t.Context(), &Look{}, terminal, &said) }()
	awaitEcho(t, terminal, false)
	if _, err := person.WriteString("s3cret\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil || o.Token.Reveal() != "s3cret" {
		t.Fatalf("got the error %v and the token %q, want the token that was typed", err, o.Token.Reveal())
	}
	awaitEcho(t, terminal, true)
	fmt.Fprint(terminal, "end")
	shown := make([]byte, 100)
	n, err := person.Read(shown)
	if err != nil || bytes.Contains(shown[:n], []byte("s3cret")) {
		t.Errorf("the terminal shows %q, %v; want it without what was typed", shown[:n], err)
	}
}

// awaitEcho waits until the terminal's echo is on. If want is false, it waits
// until the echo is off.
func awaitEcho(t *testing.T, terminal *os.File, want bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-ticker.C {
		state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if (state.Lflag&unix.ECHO != 0) == want {
			return
		}
	}
	t.Fatalf("the terminal shows what is typed: got %t, want %t", !want, want)
}
