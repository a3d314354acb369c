package testpage

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// palette are the colours of the style sheet by their names, in one scheme.
type palette map[string]string

// schemes reads both from the style sheet: the first :root is the light one, in the
// second the dark one's differ.
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

// Texts are readable at contrast AA (WCAG 2.2, 1.4.3: 4.5 to 1), and lines and
// frames that mean something are seen (1.4.11: 3 to 1), in both schemes.
func TestContrast(t *testing.T) {
	const text, graphic = 4.5, 3
	for name, colours := range schemes(t) {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "back", text}, {"faint", "back", text}, {"link", "back", text},
			{"ok", "back", text}, {"warn", "back", text}, {"fail", "back", text},
			{"on-button", "button", text}, {"text", "line", text}, // a button that is off
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

// A drawing has lines of colours that are seen alone: --line is for what parts rows.
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

// contrast is that of two colours, 1 to 21 (WCAG 2.2, contrast ratio).
func contrast(t *testing.T, one, other string) float64 {
	t.Helper()
	a, b := luminance(t, one), luminance(t, other)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// luminance is the relative luminance of a colour like #ffffff.
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
