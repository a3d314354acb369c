package browser

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/stack"
)

// person is a user with an account and a browser. One tab of the browser shows the
// call. Another tab stays open, because the browser would end with its last tab.
type person struct {
	*account.Account
	t        *testing.T
	stack    *stack.Stack
	name     string
	chromium *stack.Chromium
	hosts    map[string]string // the address at which the browser reaches each host name; nil means nginx
	browser  context.Context   // the context of the tab that stays open
	tab      context.Context   // the context of the tab with the call; nil before the call
}

// newPerson registers a user on the stack's homeserver. The user name contains the name
// of the test, which helps readers of logs. It also contains a text that is different
// in each run.
func newPerson(t *testing.T, s *stack.Stack, name string) *person {
	t.Helper()
	name += "." + strings.Trim(strange.ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), "-"), "-")
	name += "." + strings.ToLower(rand.Text()[:6])
	registered, err := account.Register(within(t, starting), s.Synapse.URL(), name)
	if err != nil {
		t.Fatal(err)
	}
	return &person{Account: registered, t: t, stack: s, name: name}
}

// strange matches characters that user names do not allow, or that are unusual in file
// names.
var strange = regexp.MustCompile("[^a-z0-9]+")

// elsewhere returns a person with the same user and device, but a new browser with a
// new profile.
func (p *person) elsewhere() *person {
	return &person{Account: p.Account, t: p.t, stack: p.stack, name: p.name + "-again", hosts: p.hosts}
}

// startBrowser starts the person's browser. The browser runs until the test ends.
func (p *person) startBrowser() {
	p.t.Helper()
	if p.hosts == nil {
		p.hosts = p.stack.Hosts()
	}
	if p.chromium == nil {
		p.chromium = &stack.Chromium{
			Host: p.stack.Host, Program: tools.Chromium, Certutil: tools.Certutil,
			Name: p.name, CA: p.stack.CA.PEM(), Hosts: p.hosts,
		}
	}
	p.t.Cleanup(func() { _ = p.chromium.Stop() }) // the test may have killed the browser
	if err := p.chromium.Start(within(p.t, starting)); err != nil {
		p.t.Fatal(err)
	}
	allocator, cancel := remote.NewAllocator(context.Background(), p.chromium.DevTools())
	p.t.Cleanup(cancel)
	p.browser, _ = chromedp.NewContext(allocator)
	p.makeTab(p.browser)
}

// makeTab opens the tab of a chromedp context. chromedp closes a tab when the context
// of the tab's first command ends, so that context must have no time limit. If the tab
// does not open in time, makeTab kills the browser, and the command fails.
func (p *person) makeTab(tab context.Context) {
	p.t.Helper()
	limit := time.AfterFunc(starting, p.chromium.Kill)
	err := chromedp.Do(tab)
	if !limit.Stop() {
		p.t.Fatalf("%s's browser has made no tab within %s: %v", p.name, starting, err)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

//go:embed page.js
var pageScript string

// call opens a tab in which Element Call joins the call of the room.
func (p *person) call(room string, encrypted bool) {
	p.t.Helper()
	link, err := p.stack.Link(p.name, stack.Login{
		UserID: p.UserID, DeviceID: p.DeviceID, AccessToken: p.AccessToken, RoomID: room, Encrypted: encrypted,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.open(link)
}

// open opens a new tab with the page at the link.
func (p *person) open(link string) {
	p.t.Helper()
	if p.browser == nil {
		p.startBrowser()
	}
	p.tab, _ = chromedp.NewContext(p.browser)
	p.makeTab(p.tab)
	p.t.Cleanup(p.photograph)
	p.keepConsole()
	ctx, cancel := context.WithTimeout(p.tab, joining)
	defer cancel()
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: pageScript}); err != nil {
		p.t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(link)); err != nil {
		p.t.Fatalf("%s's tab does not open %s: %v", p.name, link, err)
	}
}

// hangUp ends the call with Element Call's button.
func (p *person) hangUp() {
	p.t.Helper()
	clicked, err := ask[bool](p, `call.click("End call")`)
	if err != nil || !clicked {
		p.t.Fatalf("%s cannot hang up: %v", p.name, err)
	}
}

// closeTab closes the tab with the call. Element Call gets no chance to leave the call
// first.
func (p *person) closeTab() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, 20*time.Second)
	defer cancel()
	if _, err := chromedp.Call(ctx, page.Close, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
}

// reload loads the page of the call again.
func (p *person) reload() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, joining)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		p.t.Fatal(err)
	}
}

// keepConsole writes the messages of the tab's console to a file.
func (p *person) keepConsole() {
	p.t.Helper()
	file, err := os.OpenFile(p.file("console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	messages := chromedp.Console(p.tab)
	go func() {
		defer file.Close()
		loaded := false
		for message, err := range messages {
			if err != nil {
				return
			}
			fmt.Fprintf(file, "%s %s\n", message.Time.Format("15:04:05.000"), message)
			if !loaded && strings.Contains(fmt.Sprint(message), losesItsRoom) {
				loaded = true
				fmt.Fprintln(file, "(the person loads the page anew)")
				go p.loadAnew()
			}
		}
	}()
}

// losesItsRoom is an error of Element Call 0.26.1. It can happen when Element Call
// starts on a busy machine. Element Call looks for the room before it has read the
// room's events, and shows "Something went wrong". Until then, Element Call has not
// asked the service. A user would load the page again, so the test does this once for
// each tab.
const losesItsRoom = "The widget-api did not pass over the relevant room events"

// loadAnew loads the page again. It runs in a goroutine, which must not end the test.
// If the page then shows no call, a later check fails.
func (p *person) loadAnew() {
	ctx, cancel := context.WithTimeout(p.tab, joining)
	defer cancel()
	_ = chromedp.Do(ctx, chromedp.Reload())
}

func (p *person) file(name string) string {
	return filepath.Join(p.stack.Host.Dir, p.name+"-"+name)
}

// photograph saves a picture of the tab, if the test has failed.
func (p *person) photograph() {
	if p.t.Failed() {
		if err := p.picture(p.file("screen.png")); err != nil {
			p.t.Logf("no picture of %s: %v", p.name, err)
		}
	}
}

func (p *person) picture(path string) error {
	ctx, cancel := context.WithTimeout(p.tab, 20*time.Second)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return os.WriteFile(path, picture, 0o644)
}

// media counts what a tab's peer connections have received and sent so far.
type media struct {
	FramesDecoded int `json:"framesDecoded"`
	AudioReceived int `json:"audioReceived"` // bytes
	FramesSent    int `json:"framesSent"`
	AudioSent     int `json:"audioSent"` // bytes
	Connected     int `json:"connected"`
}

func (p *person) media() (media, error) {
	return ask[media](p, "call.media()")
}

// tile is a video tile that the call shows.
type tile struct {
	Width int     `json:"width"`
	Time  float64 `json:"time"` // how many seconds of the video have played
}

func (p *person) tiles() ([]tile, error) { return ask[[]tile](p, "call.tiles()") }

// ask evaluates a JavaScript expression in the person's tab, and returns its value.
func ask[T any](p *person, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.tab, 20*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}
