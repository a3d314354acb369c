package e2e

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"matrixrtc-auth/internal/terminaltest"
)

// columns and lines are the size of a new terminal.
const columns, lines = 80, 24

// TestLinkIsScanned checks the QR code that test-link prints at a terminal of 80 × 24
// characters. A program must be able to read the link from the code. The key in the
// link must be valid.
func TestLinkIsScanned(t *testing.T) {
	s := newScene(t, nil, key)
	for name, term := range map[string]string{"with colours": "xterm", "without": "dumb"} {
		t.Run(name, func(t *testing.T) {
			shown := s.testLink(t, term)
			var drawn []string
			for _, line := range shown {
				if n := utf8.RuneCountInString(line); n > columns {
					t.Errorf("%q has %d columns, want %d at most", line, n, columns)
				}
				if strings.Trim(line, "█▀▄ ") == "" {
					drawn = append(drawn, line)
				}
			}
			if len(shown)+1 > lines {
				t.Errorf("%d lines, want the prompt below them on a screen of %d", len(shown), lines)
			}
			link := shown[0]
			if got := scan(t, drawn); got != link || !strings.HasPrefix(link, s.service.URL()+"/test#") {
				t.Errorf("the camera reads %q, want what the terminal shows, %q", got, link)
			}
			s.use(t, link)
		})
	}
}

// testLink runs the command test-link at a terminal. It returns the lines that the
// terminal shows, without colour codes.
func (s *scene) testLink(t *testing.T, term string) []string {
	t.Helper()
	person, terminal := terminaltest.Open(t, columns, lines)
	cmd := exec.CommandContext(t.Context(), programs.Service, "test-link", "--public-url", s.service.URL())
	cmd.Env = []string{"TERM=" + term}
	for name, value := range s.service.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = terminal, &faults
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	var shown bytes.Buffer
	_, _ = shown.ReadFrom(person) // the error only says that the command has ended
	if err := cmd.Wait(); err != nil {
		t.Fatalf("test-link: got %v\n%s\nwant no error", err, faults.String())
	}
	text := strings.NewReplacer("\x1b[97;40m", "", "\x1b[0m", "", "\r\n", "\n").Replace(shown.String())
	if strings.Contains(text, "\x1b") || (term == "dumb") != !strings.Contains(shown.String(), "\x1b[97;40m") {
		t.Errorf("TERM=%s: got %q, want colours unless it is dumb, and no other control sequence", term, shown.String())
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// use does what the test page does with the key in link: it requests two tokens for
// the connection test.
func (s *scene) use(t *testing.T, link string) {
	t.Helper()
	base, sealed, _ := strings.Cut(link, "#")
	body, err := json.Marshal(map[string]string{"key": sealed})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(base+"/token", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ URL, Sender, Receiver string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.URL != s.sfu.URL() || got.Sender == "" || got.Receiver == "" {
		t.Errorf("the key gets %d %+v (%v), want two tokens for %s", resp.StatusCode, got, err, s.sfu.URL())
	}
}

// scan reads a QR code from the lines of a terminal. A character is twice as high as
// wide. "█" is light, "▀" has a light upper half, and "▄" a light lower half.
func scan(t *testing.T, drawn []string) string {
	t.Helper()
	if len(drawn) == 0 {
		t.Fatal("got no QR code, want one")
	}
	const size = 6 // the width and height in pixels of the upper or lower half of a character
	screen := image.NewGray(image.Rect(0, 0, size*utf8.RuneCountInString(drawn[0]), 2*size*len(drawn)))
	light := func(x, y int) {
		for i := range size * size {
			screen.SetGray(x*size+i%size, y*size+i/size, color.Gray{Y: 255})
		}
	}
	for row, line := range drawn {
		for column, half := range slices.All([]rune(line)) {
			if half == '█' || half == '▀' {
				light(column, 2*row)
			}
			if half == '█' || half == '▄' {
				light(column, 2*row+1)
			}
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(screen)
	if err != nil {
		t.Fatal(err)
	}
	read, err := qrcode.NewQRCodeReader().DecodeWithoutHints(bitmap)
	if err != nil {
		t.Fatalf("the camera: got %v, want a link, from\n%s", err, strings.Join(drawn, "\n"))
	}
	return read.GetText()
}
