package doctor_test

import (
	"bytes"
	"regexp"
	"testing"

	"matrixrtc-auth/internal/goldentest"
)

// volatile are the parts of a report that differ from run to run, each with its
// replacement.
var volatile = []struct {
	text *regexp.Regexp
	same string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:1234"},
	{regexp.MustCompile(`doctor-[0-9a-f]{16}`), "doctor-0123456789abcdef"},
	{regexp.MustCompile(`took [0-9.]+m?s`), "took 5ms"},
	{regexp.MustCompile(`\d+ webhooks verified`), "0 webhooks verified"},
	{regexp.MustCompile(`an access token \([^)]*\)`), "an access token (sha256:0123456789ab)"},
	{regexp.MustCompile(`"duration_ms": \d+`), `"duration_ms": 5`},
}

// TestGoldenStack compares the whole report of a stack that has a fault and a
// warning with the files in testdata. To write these files, run go test -run
// Golden ./doctor -update.
func TestGoldenStack(t *testing.T) {
	s := newStack(t)
	breaks["websocket-headers"](s)
	breaks["delegation-off"](s)
	report := s.examine()
	var text, document bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJSON(&document); err != nil {
		t.Fatal(err)
	}
	hold := func(name string, printed []byte) {
		for _, v := range volatile {
			printed = v.text.ReplaceAll(printed, []byte(v.same))
		}
		goldentest.Hold(t, name, printed)
	}
	hold("testdata/stack.txt", text.Bytes())
	hold("testdata/stack.json", document.Bytes())
}
