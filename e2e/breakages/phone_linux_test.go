package breakages

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"

	"matrixrtc-auth/e2e/stack"
)

// phone is a browser with a window of a phone's size, in which a user opens links.
type phone struct {
	t       *testing.T
	w       *world
	axe     string // the script that finds faults of accessibility
	browser context.Context
	tab     context.Context
}

// outcome describes what the page shows at the end of a connection test, and what the
// page has done.
type outcome struct {
	Verdict, Says, Why, Remedy string
	// Marks has the result of each step. Names and Details have the texts of each step.
	Marks, Names, Details map[string]string
	Report                string
	Focus                 string   // the element that has the focus at the end
	Spoken                []string // the texts that the page announced to screen readers
	Servers               []string // the STUN and TURN servers that the page's WebRTC connections got
	Violations            []string
	Stored                int // the number of characters in cookies and storages
}

//go:embed testdata/connection.js
var connectionScript string

func newPhone(t *testing.T, w *world) *phone {
	t.Helper()
	browser, err := stack.FindBrowser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(filepath.Join(w.host.Dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	axe, err := os.ReadFile(browser.Packaged("axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]string{}
	for _, name := range strangers {
		hosts[name] = strangersAddress
	}
	for _, name := range []string{"", "matrix.", "jwt.", "sfu."} {
		hosts[name+domain] = public
	}
	chromium := &stack.Chromium{
		Host: w.host, Program: browser.Chromium, Certutil: browser.Certutil, Name: "phone", CA: root, Hosts: hosts, Addresses: []string{public},
	}
	t.Cleanup(func() { _ = chromium.Stop() }) // the error of a browser that has already ended does not matter
	ctx, cancel := context.WithTimeout(t.Context(), starting)
	defer cancel()
	if err := chromium.Start(ctx); err != nil {
		t.Fatal(err)
	}
	allocator, end := remote.NewAllocator(context.Background(), chromium.DevTools())
	t.Cleanup(end)
	p := &phone{t: t, w: w, axe: string(axe)}
	p.browser, _ = chromedp.NewContext(allocator)
	if err := chromedp.Do(p.browser); err != nil {
		t.Fatal(err)
	}
	return p
}

// open opens a link in a new tab of a phone's size. The browser runs the given script
// before the scripts of the page.
func (p *phone) open(t *testing.T, link string, s settings, script string) {
	t.Helper()
	p.tab, _ = chromedp.NewContext(p.browser)
	if err := chromedp.Do(p.tab); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.tab, starting)
	defer cancel()
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script + connectionScript}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height, chromedp.EmulateMobile, chromedp.EmulateTouch)); err != nil {
		t.Fatal(err)
	}
	p.show(ctx, t, s)
	if err := chromedp.Do(ctx, chromedp.Navigate(link)); err != nil {
		t.Fatalf("the browser at %s: got %v, want the page", link, err)
	}
}

// tap taps the button Start.
func (p *phone) tap(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, looking)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Tap("#start")); err != nil {
		t.Fatal(err)
	}
}

// outcome waits until the connection test has ended, and returns what the page shows.
// The page must not violate its Content-Security-Policy, and must not store anything.
func (p *phone) outcome(t *testing.T) (o outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, runTime)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("connectionTest.outcome()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("the test on the page: got %v, want an outcome", err)
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	if len(o.Violations) > 0 || o.Stored > 0 {
		t.Errorf("the page tried what its Content-Security-Policy forbids: %q; it stored %d characters, want none of both", o.Violations, o.Stored)
	}
	return o
}
