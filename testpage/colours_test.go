package testpage

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// palette has the colours of one colour scheme, by their names in the style
// sheet.
type palette map[string]string

// schemes reads the light and the dark colour scheme from the style sheet. The
// first :root block has the light colours, and the second one has the dark
// colours.
func schemes(t *testing.T) map[string]palette {
	t.Helper()
	text := string(body(t, ask(t, "", "style.css", "/test/style.css")))
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("the style sheet has %d blocks of colours, want one for each scheme", len(blocks))
	}
	all := map[string]palette{"light": {}, "dark": {}}
	for i, name := range []string{"light", "dark"} {
		for _, match := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(blocks[i][1], -1) {
			all[name][match[1]] = match[2]
		}
	}
	return all
}

// TestContrast checks the contrasts of the light and the dark colour scheme by
// WCAG 2.2. For text, the contrast must be at least 4.5 to 1 (1.4.3). For lines
// and frames that mean something, it must be at least 3 to 1 (1.4.11).
func TestContrast(t *testing.T) {
	const text, graphic = 4.5, 3
	for name, colours := range schemes(t) {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "back", text}, {"faint", "back", text}, {"link", "back", text},
			{"ok", "back", text}, {"warn", "back", text}, {"fail", "back", text},
			{"on-button", "button", text}, {"text", "line", text}, // the text of a disabled button
			{"button", "back", graphic},
		} {
			t.Run(fmt.Sprintf("%s: %s on %s", name, pair.front, pair.back), func(t *testing.T) {
				front, back := colours[pair.front], colours[pair.back]
				if got := contrast(t, front, back); got < pair.least {
					t.Errorf("%s on %s has %.2f to 1, want %v", front, back, got, pair.least)
				}
			})
		}
	}
}

// TestDrawingIsSeen checks that the lines of drawings have colours with enough
// contrast. The colour --line has too little contrast for drawings, because it
// is meant only for the lines between rows.
func TestDrawingIsSeen(t *testing.T) {
	text := string(body(t, ask(t, "", "style.css", "/test/style.css")))
	strokes := regexp.MustCompile(`(?m)^svg .*stroke: var\(--([a-z]+)\)`).FindAllStringSubmatch(text, -1)
	if len(strokes) < 5 {
		t.Fatalf("the style sheet: got %d kinds of lines for drawings, want at least 5", len(strokes))
	}
	for _, stroke := range strokes {
		if !strings.Contains("ok warn fail faint text", stroke[1]) {
			t.Errorf("%q: got the colour --%s, want one that is seen alone", stroke[0], stroke[1])
		}
	}
}

// contrast returns the contrast ratio of two colours, from 1 to 21 (WCAG 2.2).
func contrast(t *testing.T, one, other string) float64 {
	t.Helper()
	a, b := luminance(t, one), luminance(t, other)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// luminance returns the relative luminance of a colour like #ffffff (WCAG 2.2).
func luminance(t *testing.T, colour string) (sum float64) {
	t.Helper()
	if len(colour) != len("#ffffff") {
		t.Fatalf("got the colour %q, want one like #ffffff", colour)
	}
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		value, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		part := float64(value) / 255
		if part <= 0.04045 {
			sum += weight * part / 12.92
			continue
		}
		sum += weight * math.Pow((part+0.055)/1.055, 2.4)
	}
	return sum
}
