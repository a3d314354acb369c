package invite

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/doctor/verdicts"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
	"matrixrtc-auth/token"
)

// glance is how often the watcher asks LiveKit who is in the room.
const glance = time.Second

// mostTests is the number of tests after which the watcher reports no new test.
const mostTests = 1000

// Event says what a test in the room has done.
type Event struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
	// What is the kind of the event: "came", "left" or "verdict". The watcher
	// reports "left" only for a test that sent no verdict.
	What string `json:"what"`
	// Verdict is the id of a text in package verdicts, and Says is the text
	// itself. Way ("udp", "tcp" or "relay"), RTT and Loss are what the
	// page of the connection test has measured.
	Verdict string `json:"verdict,omitempty"`
	Says    string `json:"says,omitempty"`
	Way     string `json:"way,omitempty"`
	RTT     *int   `json:"rtt_ms,omitempty"` // the round trip; nil if the browser does not tell it
	Loss    string `json:"loss_percent,omitempty"`
}

// teller returns a function that prints events to w, in the form that the
// options ask for.
func (o *options) teller(w io.Writer) func(Event) {
	if o.json {
		encoder := json.NewEncoder(w)
		return func(e Event) { _ = encoder.Encode(e) } // an error of w cannot be reported anywhere
	}
	return func(e Event) { fmt.Fprintln(w, e) }
}

func (e Event) String() string {
	text := fmt.Sprintf("%s %s ", e.At.Local().Format("15:04:05"), e.Name)
	switch e.What {
	case "came":
		return text + "came"
	case "left":
		return strings.TrimSpace(text + "left " + e.Says)
	}
	text += e.Says
	switch {
	case e.Way != "" && e.RTT != nil:
		text += fmt.Sprintf(" (%s, %d ms, %s %% lost)", e.Way, *e.RTT, e.Loss)
	case e.Way != "":
		text += fmt.Sprintf(" (%s, %s %% lost)", e.Way, e.Loss)
	}
	return text
}

// watcher reports the tests that join the room, and their verdicts.
type watcher struct {
	in    *inviter
	room  sfu.Room
	tell  func(Event)
	tests map[string]progress // the tests that have joined the room so far, by name
	// The watcher asks LiveKit every second which tests are in the room. The slice
	// here has the names of the tests in the last answer. The slice gone has the
	// names of tests that were in the answer before, but not in the last answer.
	// Their verdicts may still arrive.
	here, gone []string
	// silence is the text to print if a test leaves the room and has sent no
	// verdict. It is "" if this command cannot receive verdicts.
	silence string
	blind   bool // LiveKit did not answer when the watcher last asked who is in the room
}

// progress is what the watcher last reported about a test.
type progress int

const (
	came progress = iota
	left
	judged
)

// watch reports what happens in the link's room until the link or ctx ends.
func (in *inviter) watch(ctx context.Context, link Link, tell func(Event)) {
	ctx, cancel := context.WithDeadline(ctx, link.Expires)
	defer cancel()
	w := &watcher{in: in, room: link.Room, tell: tell, tests: map[string]progress{}}
	texts, leave := w.listen(ctx)
	defer leave()
	again := time.NewTicker(glance)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-texts:
			w.hear(m)
		case <-again.C:
			w.look(ctx)
		}
	}
}

// listen joins the room as a participant, to receive the verdicts. If
// that fails, the watcher still reports who comes and leaves.
func (w *watcher) listen(ctx context.Context) (texts <-chan instruments.Message, leave func()) {
	minter := token.NewMinter(w.in.cfg.Keys[0], time.Minute)
	grant := token.Grant{Room: w.room, Identity: sfu.Identity("watcher-" + strings.TrimPrefix(string(w.room), "doctor-"))}
	p, err := w.in.network.Join(ctx, socketURL(w.in.cfg.APIURL), minter.Mint(grant, time.Now()))
	if err != nil {
		fmt.Fprintf(w.in.notes, "note: no verdicts will be printed, because no media connection from here to LiveKit works (%v); who comes and leaves is still printed\n", err)
		return nil, func() {}
	}
	w.silence = "without a verdict: no media got through, or the page was closed"
	return p.Received(), p.Leave
}

// socketURL returns the WebSocket URL at which participants join LiveKit. api
// is the URL of LiveKit's API.
func socketURL(api *url.URL) string {
	u := *api
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	return u.String()
}

// look asks LiveKit who is in the room, and reports who has come and who has
// left since the last call. Each test joins with two participants, a sender and
// a receiver; look reports only the sender.
func (w *watcher) look(ctx context.Context) {
	all, err := w.in.sfu.Participants(ctx, w.room)
	if err != nil {
		w.note(err)
		return // the next call may succeed
	}
	w.blind = false
	var here []string
	for _, p := range all {
		if name := string(p.Identity); isTester(name) {
			here = append(here, name)
		}
	}
	for _, name := range here {
		w.came(name)
	}
	for _, name := range w.gone {
		if told, known := w.tests[name]; known && told == came && !slices.Contains(here, name) {
			w.tests[name] = left
			w.tell(Event{At: time.Now(), Name: name, What: "left", Says: w.silence})
		}
	}
	w.gone = slices.DeleteFunc(w.here, func(name string) bool { return slices.Contains(here, name) })
	w.here = here
}

// note prints why the command cannot see who comes and leaves. It prints
// nothing more until LiveKit has answered again.
func (w *watcher) note(err error) {
	if !w.blind {
		fmt.Fprintf(w.in.notes, "note: LiveKit does not say who is in the room (%v)\n", err)
	}
	w.blind = true
}

// came reports that a new test has joined the room.
func (w *watcher) came(name string) {
	if _, known := w.tests[name]; known || len(w.tests) >= mostTests {
		return
	}
	w.tests[name] = came
	w.tell(Event{At: time.Now(), Name: name, What: "came"})
}

// isTester reports whether a name has the form of the names that the service
// gives to tests. Anybody with the link may send any text as a name.
func isTester(name string) bool {
	digits, found := strings.CutPrefix(name, testlink.TesterPrefix)
	return found && len(digits) == 8 && strings.Trim(digits, "0123456789abcdef") == ""
}

// verdict is the message that the test page sends at the end of a test. It may be
// forged, because anybody with the link can send any message.
type verdict struct {
	Name    string  `json:"name"`
	Verdict string  `json:"verdict"`
	Way     string  `json:"way"`
	RTT     *int    `json:"rtt"`
	Loss    float64 `json:"loss"`
}

// The page of the connection test never reports numbers above these bounds.
const (
	mostLoss = 100     // the lost packets, in percent
	mostRTT  = 100_000 // the round-trip time, in ms
)

// isMeasured reports whether the page can have measured the way, the loss and the
// round-trip time in this verdict.
func (v verdict) isMeasured() bool {
	return slices.Contains([]string{"udp", "tcp", "relay"}, v.Way) && v.Loss >= 0 && v.Loss <= mostLoss &&
		(v.RTT == nil || *v.RTT >= 0 && *v.RTT <= mostRTT)
}

// hear reports the verdict of a connection test, which the tester's browser sent
// as m. A browser can send only the verdict of its own test, because LiveKit sets
// the sender m.From.
func (w *watcher) hear(m instruments.Message) {
	var said verdict
	if json.Unmarshal([]byte(m.Text), &said) != nil || !isTester(said.Name) || strings.TrimSuffix(m.From, testlink.ReceiverSuffix) != said.Name {
		return
	}
	i := slices.IndexFunc(verdicts.All(), func(v verdicts.Verdict) bool { return v.ID == said.Verdict })
	if i < 0 {
		return
	}
	w.came(said.Name)
	if told, known := w.tests[said.Name]; told == judged || !known {
		return
	}
	w.tests[said.Name] = judged
	e := Event{At: time.Now(), Name: said.Name, What: "verdict", Verdict: said.Verdict, Says: verdicts.All()[i].Says}
	if said.isMeasured() {
		e.Way, e.RTT, e.Loss = said.Way, said.RTT, fmt.Sprintf("%.1f", said.Loss)
	}
	w.tell(e)
}
