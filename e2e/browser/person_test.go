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

// person is a user with an account, a browser, and a tab in it that shows a
// call. Another tab stays open: the browser outlives the call.
type person struct {
	*account.Account
	t        *testing.T
	stack    *stack.Stack
	name     string
	chromium *stack.Chromium
	hosts    map[string]string // where the browser finds names; nil: at nginx
	browser  context.Context   // of the tab that stays open
	tab      context.Context   // of the call; nil before it
}

// newPerson registers somebody on the stack's homeserver, with the test in the
// name, for those who read logs, and something that no other run of it has.
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

// strange is what neither user names nor names of files should have.
var strange = regexp.MustCompile("[^a-z0-9]+")

// elsewhere is the same user with the same device in a browser that is new, as
// its profile is.
func (p *person) elsewhere() *person {
	return &person{Account: p.Account, t: p.t, stack: p.stack, name: p.name + "-again", hosts: p.hosts}
}

// startBrowser opens the person's browser, for the length of the test.
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
	p.t.Cleanup(func() { _ = p.chromium.Stop() }) // it may have been killed
	if err := p.chromium.Start(within(p.t, starting)); err != nil {
		p.t.Fatal(err)
	}
	allocator, cancel := remote.NewAllocator(context.Background(), p.chromium.DevTools())
	p.t.Cleanup(cancel)
	p.browser, _ = chromedp.NewContext(allocator)
	p.makeTab(p.browser)
}

// makeTab makes the tab of a context. A tab lasts as long as the context of its
// first call, which therefore has no limit: where one is due the browser is
// killed, and the call fails.
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

// call opens a tab that joins the call of the room.
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

// open opens a tab with the page at the link.
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

// hangUp leaves the call as people do.
func (p *person) hangUp() {
	p.t.Helper()
	clicked, err := ask[bool](p, `call.click("End call")`)
	if err != nil || !clicked {
		p.t.Fatalf("%s cannot hang up: %v", p.name, err)
	}
}

// closeTab closes the tab of the call, as people do: without a goodbye.
func (p *person) closeTab() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, 20*time.Second)
	defer cancel()
	if _, err := chromedp.Call(ctx, page.Close, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
}

// reload loads the page anew, as people do.
func (p *person) reload() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, joining)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		p.t.Fatal(err)
	}
}

// keepConsole writes what the tab says to a file.
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

// losesItsRoom is what Element Call 0.26.1 now and then says on a busy machine
// when it starts: it looks for the room before it has taken in the events that it
// was handed, and shows “Something went wrong”. Nothing has been asked of the
// service then. People load the page anew; so does a person here, once a tab.
const losesItsRoom = "The widget-api did not pass over the relevant room events"

// loadAnew is reload for where no test can fail any more: who still sees no call
// then fails the test.
func (p *person) loadAnew() {
	ctx, cancel := context.WithTimeout(p.tab, joining)
	defer cancel()
	_ = chromedp.Do(ctx, chromedp.Reload())
}

func (p *person) file(name string) string {
	return filepath.Join(p.stack.Host.Dir, p.name+"-"+name)
}

// photograph keeps a picture of the tab of a failed test.
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

// media is what a tab's peer connections have received and sent so far.
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

// tile is a video that the call shows.
type tile struct {
	Width int     `json:"width"`
	Time  float64 `json:"time"` // seconds that it has played
}

func (p *person) tiles() ([]tile, error) { return ask[[]tile](p, "call.tiles()") }

// ask evaluates an expression in the person's tab.
func ask[T any](p *person, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.tab, 20*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}
