package invite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
)

func TestWatcher(t *testing.T) {
	var told []string
	w := &watcher{tests: map[string]progress{}, tell: func(e Event) {
		told = append(told, strings.TrimPrefix(e.String(), e.At.Local().Format("15:04:05")+" "))
	}}
	for _, said := range [][2]string{
		{"tester-0000000a", `{"name":"tester-0000000a","verdict":"udp","way":"udp","rtt":23,"loss":0.5}`},
		{"tester-0000000a-receiver", `{"name":"tester-0000000a","verdict":"no-media"}`},                        // a second verdict of the same test
		{"tester-0000000b", `{"name":"tester-0000000b","verdict":"forged\u001b[2J"}`},                          // not a verdict of package verdicts
		{"tester-0000000b", `{"name":"tester-0000000f","verdict":"no-media"}`},                                 // the verdict of another test
		{"alice", `{"name":"alice","verdict":"udp"}`},                                                          // not a name that the service gives
		{"tester-0000000c", `{"name":"tester-0000000c","verdict":"only-tcp","way":"a\u001b[2J"}`},              // not a way that the page reports
		{"tester-0000000e-receiver", `{"name":"tester-0000000e","verdict":"only-tcp","way":"tcp"}`},            // a browser that does not report the round-trip time
		{"tester-00000010", `{"name":"tester-00000010","verdict":"udp","way":"udp","rtt":23,"loss":1e308}`},    // the loss is over 100 %
		{"tester-00000011", `{"name":"tester-00000011","verdict":"udp","way":"udp","rtt":-1,"loss":1}`},        // the round-trip time is negative
		{"tester-00000012", `{"name":"tester-00000012","verdict":"udp","way":"udp","rtt":100000000,"loss":1}`}, // the round-trip time is over a day
		{"tester-0000000d", `{"name":"tester-0000000d-receiver","verdict":"udp"}`}, {"tester-0000000d", `no JSON`}, {"tester-0000000d", `[]`},
		{"tester-0000000d", strings.Repeat("[", 60_000)},
	} {
		w.hear(instruments.Message{From: said[0], Text: said[1]})
	}
	want := []string{
		"tester-0000000a came", "tester-0000000a Calls will work here, over UDP (udp, 23 ms, 0.5 % lost)",
		"tester-0000000c came", "tester-0000000c Only over TCP: expect stutter",
		"tester-0000000e came", "tester-0000000e Only over TCP: expect stutter (tcp, 0.0 % lost)",
		"tester-00000010 came", "tester-00000010 Calls will work here, over UDP",
		"tester-00000011 came", "tester-00000011 Calls will work here, over UDP",
		"tester-00000012 came", "tester-00000012 Calls will work here, over UDP",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

// TestWatcherSeesReturn checks a connection test that leaves the room and
// immediately returns, as such tests do between their steps. The watcher does
// not report that the test left. After the watcher has reported a test as left,
// the test may still send a verdict.
func TestWatcherSeesReturn(t *testing.T) {
	s := newScene(t)
	in := newInviter(&s.cfg, instruments.New())
	room := testlink.New(time.Now()).Room
	if err := in.sfu.CreateTestRoom(t.Context(), room, time.Minute, mostParticipants); err != nil {
		t.Fatal(err)
	}
	var told []string
	w := &watcher{in: in, room: room, tests: map[string]progress{}, tell: func(e Event) { told = append(told, e.What) }}
	const name = "tester-0000000a"
	here := func(is bool) {
		t.Helper()
		if is {
			s.sfu.Join(room, name)
		} else {
			s.sfu.Leave(room, name, livekit.DisconnectReason_CLIENT_INITIATED)
		}
		w.look(t.Context())
	}
	here(true)
	here(false)
	here(true) // the test has returned in time
	if want := "came"; strings.Join(told, " ") != want {
		t.Errorf("told %q, want %s", told, want)
	}
	here(false)
	w.look(t.Context()) // the test has left
	w.hear(verdictOf(name))
	w.hear(verdictOf(name))
	if want := "came left verdict"; strings.Join(told, " ") != want {
		t.Errorf("told %q, want %s", told, want)
	}
}

// TestWatcherSaysWhyItSeesNobody checks that the command says once, and only
// once, that LiveKit does not answer.
func TestWatcherSaysWhyItSeesNobody(t *testing.T) {
	s := newScene(t)
	in := newInviter(&s.cfg, instruments.New())
	var notes strings.Builder
	in.notes = &notes
	w := &watcher{in: in, room: "doctor-0123456789abcdef", tests: map[string]progress{}}
	s.sfu.Down()
	w.look(t.Context())
	w.look(t.Context())
	if got := notes.String(); !strings.HasPrefix(got, "note: LiveKit does not say who is in the room") || strings.Count(got, "\n") != 1 {
		t.Errorf("noted %q, want one line that LiveKit does not answer", got)
	}
}

// verdictOf returns the message in which the connection test of this name says
// that it found no fault.
func verdictOf(name string) instruments.Message {
	return instruments.Message{From: name, Text: fmt.Sprintf(`{"name":%q,"verdict":"udp","way":"udp","rtt":23,"loss":0}`, name)}
}

// TestWatcherIsBounded checks that the watcher keeps and reports at most
// mostTests connection tests, however many come.
func TestWatcherIsBounded(t *testing.T) {
	told := 0
	w := &watcher{tests: map[string]progress{}, tell: func(Event) { told++ }}
	for i := range 2 * mostTests {
		w.hear(verdictOf(fmt.Sprintf("tester-%08x", i)))
	}
	if len(w.tests) != mostTests || told != 2*mostTests {
		t.Errorf("%d tests are kept, %d events told; want %d and %d", len(w.tests), told, mostTests, 2*mostTests)
	}
}

// TestWatcherLooks checks that the watcher reports a test that leaves the room
// without a verdict. The watcher adds the text in its field silence to the report.
// It must not report the second participant of a test ("-receiver").
func TestWatcherLooks(t *testing.T) {
	for silence, want := range map[string]string{"": "tester-0000000a left", "without a verdict": "tester-0000000a left without a verdict"} {
		t.Run(want, func(t *testing.T) {
			s := newScene(t)
			in := newInviter(&s.cfg, instruments.New())
			room := testlink.New(time.Now()).Room
			if err := in.sfu.CreateTestRoom(t.Context(), room, time.Minute, mostParticipants); err != nil {
				t.Fatal(err)
			}
			var told []string
			w := &watcher{in: in, room: room, tests: map[string]progress{}, silence: silence, tell: func(e Event) {
				told = append(told, strings.TrimPrefix(e.String(), e.At.Local().Format("15:04:05")+" "))
			}}
			all := []sfu.Identity{"tester-0000000a", "tester-0000000a-receiver", "tester-0000000b", "watcher-1"}
			for _, name := range all {
				s.sfu.Join(room, name)
			}
			w.look(t.Context())
			for _, name := range all {
				s.sfu.Leave(room, name, livekit.DisconnectReason_CLIENT_INITIATED)
			}
			w.look(t.Context()) // the verdict of one test has not arrived yet
			w.hear(verdictOf("tester-0000000b"))
			w.look(t.Context())
			w.look(t.Context())
			slices.Sort(told[:min(2, len(told))]) // the watcher reports new tests in no fixed order
			wanted := []string{"tester-0000000a came", "tester-0000000b came", "tester-0000000b Calls will work here, over UDP (udp, 23 ms, 0.0 % lost)", want}
			if strings.Join(told, "\n") != strings.Join(wanted, "\n") {
				t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(wanted, "\n"))
			}
		})
	}
}
