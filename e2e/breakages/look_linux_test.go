package breakages

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// width and height are the size of a small phone's screen, in CSS pixels.
const (
	width  = 360
	height = 760
)

// settings are settings of the tester's browser.
type settings struct {
	language string // the value of the header Accept-Language; "" means English
	dark     bool
}

func (s settings) languages() string {
	if s.language == "" {
		return "en-US,en"
	}
	return s.language
}

func (s settings) scheme() string {
	if s.dark {
		return "dark"
	}
	return "light"
}

// backgrounds are the page's background colours in its light and its dark
// scheme.
var backgrounds = map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}

// titles are the page's titles, by language.
var titles = map[string]string{"en": "Connection test", "de": "Verbindungstest"}

// show sets the language and the colour scheme of the tab.
func (p *phone) show(ctx context.Context, t *testing.T, s settings) {
	t.Helper()
	agent, err := chromedp.Run(ctx, chromedp.Evaluate[string]("navigator.userAgent"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: s.languages()}); err != nil {
		t.Fatal(err)
	}
	p.light(ctx, t, s.scheme())
}

func (p *phone) light(ctx context.Context, t *testing.T, scheme string) {
	t.Helper()
	feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}}); err != nil {
		t.Fatal(err)
	}
}

// look describes what a user sees of the page of the connection test.
type look struct {
	Faults                            []string // the faults of accessibility that the tool axe finds
	Width                             int
	Language, Title, Background, Text string
	Headings                          []string
	Start, Ended                      bool
}

// look examines the page of the connection test in one colour scheme. The test fails if
// the page has a fault of accessibility, is too wide, or has the wrong colour or
// language.
func (p *phone) look(t *testing.T, state, scheme string, s settings) (l look) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, looking)
	defer cancel()
	p.light(ctx, t, scheme)
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](p.axe+"\n;connectionTest.look()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: got %v, want a look at the page", state, err)
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	for _, fault := range l.Faults {
		t.Errorf("%s, %s: got %s, want no fault", state, scheme, fault)
	}
	language := s.languages()[:2]
	if l.Width > width || l.Background != backgrounds[scheme] || l.Language != language || l.Title != titles[language] {
		t.Errorf("%s: %d pixels wide, on %s, in %q, titled %q; want %d at most, on %s, in %q, %q",
			state, l.Width, l.Background, l.Language, l.Title, width, backgrounds[scheme], language, titles[language])
	}
	return l
}

// looks examines the page of the connection test in the light and the dark colour
// scheme. Then it goes back to the colour scheme in the settings.
func (p *phone) looks(t *testing.T, state string, s settings) (l look) {
	t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		l = p.look(t, state, scheme, s)
	}
	ctx, cancel := context.WithTimeout(p.tab, looking)
	defer cancel()
	p.light(ctx, t, s.scheme())
	return l
}

// press presses keys, and returns the element that has the focus afterwards.
func (p *phone) press(t *testing.T, keys string) (focus string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, looking)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys)); err != nil {
		t.Fatal(err)
	}
	focus, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.activeElement.id || document.activeElement.tagName"))
	if err != nil {
		t.Fatal(err)
	}
	return focus
}

// picture saves a picture of the page if the option -pictures is set. The picture does
// not contain the report.
func (p *phone) picture(t *testing.T, name string) {
	t.Helper()
	if *pictures == "" || name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.tab, looking)
	defer cancel()
	long, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`scrollTo(0, 0), document.activeElement.blur(),
		document.getElementById("report").hidden = true, document.getElementById("copied").textContent = "",
		document.querySelector("main").offsetHeight`))
	if err != nil {
		t.Fatal(err)
	}
	beyond := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond, Clip: &page.Viewport{Width: width, Height: long, Scale: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), small(t, shot.Data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// This function reduces the picture to its 256 most frequent colours. This saves two
// thirds of the bytes.
func small(t *testing.T, shot []byte) []byte {
	t.Helper()
	taken, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	const most = 256
	counts := map[color.Color]int{}
	area := taken.Bounds()
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			counts[taken.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	reduced := image.NewPaletted(area, colours[:min(most, len(colours))])
	draw.Draw(reduced, area, taken, area.Min, draw.Src)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, reduced); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutLink checks the page when a user opens it without a link. The page must say
// how to get a link, and must have no button.
func (p *phone) withoutLink(t *testing.T) {
	for _, test := range []struct {
		s    settings
		want string
	}{
		{settings{}, "It needs a link: whoever runs the server gets one with “matrixrtc-auth test-link”"},
		{settings{language: "de-DE,de"}, "Sie braucht einen Link: Wer den Server betreibt, bekommt ihn mit „matrixrtc-auth test-link“"},
	} {
		t.Run(test.s.languages(), func(t *testing.T) {
			p.open(t, "https://jwt."+domain+"/test", test.s, "")
			l := p.looks(t, "without a link", test.s)
			p.picture(t, "without-link-"+l.Language)
			if l.Start || !strings.Contains(l.Text, test.want) {
				t.Errorf("Start is offered: %t; the page says %q, want %q", l.Start, l.Text, test.want)
			}
		})
	}
}

// startByKeyboard starts the connection test with the keyboard, as a user without a
// mouse does. It examines the page before and during the test.
func (p *phone) startByKeyboard(t *testing.T, s settings) {
	t.Helper()
	if l := p.looks(t, "before the start", s); !l.Start || !slices.Equal(l.Headings, []string{"H1 " + titles[l.Language]}) {
		t.Errorf("before the start: got Start offered: %t, headings %q, want it offered below %q", l.Start, l.Headings, titles[l.Language])
	}
	p.picture(t, "before-"+s.scheme())
	if focus := p.press(t, kb.Tab); focus != "start" {
		t.Fatalf("the first Tab leads to %s, want start", focus)
	}
	p.press(t, kb.Enter)
	if l := p.look(t, "while it runs", s.scheme(), s); l.Ended || len(l.Headings) != 2 {
		t.Errorf("while it runs: got ended: %t, headings %q, want it to run below two headings", l.Ended, l.Headings)
	}
	p.picture(t, "running-"+s.scheme())
}

// readByKeyboard checks the results at the end of a connection test. It goes through
// them with the keyboard, and checks which texts a screen reader gets.
func (p *phone) readByKeyboard(t *testing.T, o outcome, s settings) {
	t.Helper()
	l := p.looks(t, "at the end", s)
	if levels := levelsOf(l.Headings); levels != "123 2" && levels != "12 2" {
		t.Errorf("at the end: got the headings %q of the levels %s, want 123 2 or 12 2", l.Headings, levels)
	}
	if o.Focus != "outcome-title" {
		t.Errorf("at the end the focus is at %s, want the verdict", o.Focus)
	}
	for _, wanted := range append(o.ran(), o.Says) {
		if !slices.ContainsFunc(o.Spoken, func(said string) bool { return strings.HasSuffix(said, ": "+wanted) }) {
			t.Errorf("the live region: got %q, want %q said", o.Spoken, wanted)
		}
	}
	ctx, cancel := context.WithTimeout(p.tab, looking)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.getElementById("outcome-title").focus(), true`)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"copy", "report", "A"} {
		if focus := p.press(t, kb.Tab); focus != want {
			t.Errorf("Tab leads to %s, want %s", focus, want)
		}
	}
}

// levelsOf returns the levels of the page's headings as digits. It puts a space before
// each heading of level 2 except the first. So "12 2" means one heading of level 1 and
// two of level 2.
func levelsOf(headings []string) (levels string) {
	for _, heading := range headings {
		level := heading[1:2]
		if level == "2" && strings.Contains(levels, "2") {
			level = " 2"
		}
		levels += level
	}
	return levels
}

// ran returns the names of the steps that ran.
func (o outcome) ran() (names []string) {
	for step, name := range o.Names {
		if mark := o.Marks[step]; mark != "none" {
			names = append(names, name)
		}
	}
	return names
}
