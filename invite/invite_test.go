package invite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/access"
	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
	"matrixrtc-auth/testlink"
)

var key = sfu.Key{ID: "key", Secret: secret.New(strings.Repeat("s", 32))}

// scene is a service with its SFU, and what stands in front of it.
type scene struct {
	sfu     *sfutest.Server
	service *handler.Handler
	front   func(next http.Handler) http.Handler
	public  string
	cfg     config.Config
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{sfu: sfutest.NewServer(key), front: func(next http.Handler) http.Handler { return next }}
	t.Cleanup(s.sfu.Close)
	s.cfg = config.Config{Keys: []sfu.Key{key}, APIURL: s.sfu.APIURL(), TestPage: true}
	client := sfu.NewClient(s.sfu.APIURL(), sfu.Always(key), sfu.NewHTTPClient(nil, nil))
	s.service = &handler.Handler{
		Access: &access.Authorizer{}, URL: "wss://sfu.example.org", Log: slog.New(slog.DiscardHandler),
		TestPage: &handler.TestPage{Keys: sfu.Always(key), Rooms: client, Uses: handler.NewUseLimiter(), Clients: handler.NewTestLimiter()},
	}
	return s
}

// run runs the command as it stands in a shell.
func (s *scene) run(t *testing.T, args ...string) (code int, out, faults string) {
	t.Helper()
	routes := s.service.Routes()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front(routes).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	s.public = server.URL
	if len(args) == 0 {
		args = []string{"--public-url", s.public + "/"}
	}
	load := func() (config.Config, []config.Warning, error) { return s.cfg, nil, nil }
	var stdout, stderr bytes.Buffer
	code = command.RunAlone(t.Context(), NewCommand(load, instruments.New()), args, nil, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// A link opens the page, and its key the room that LiveKit keeps as long as the link.
func TestLink(t *testing.T) {
	s := newScene(t)
	begun := time.Now()
	code, out, faults := s.run(t)
	link, _, _ := strings.Cut(out, "\n")
	sealed, found := strings.CutPrefix(link, s.public+"/test#")
	if code != 0 || faults != "" || !found {
		t.Fatalf("exit code %d, %q, %q; want a link to %s/test", code, out, faults, s.public)
	}
	opened, err := testlink.Open(sealed, []sfu.Key{key}, time.Now())
	if err != nil || opened.Expires.Before(begun.Add(10*time.Minute-2*time.Second)) || opened.Expires.After(time.Now().Add(10*time.Minute)) {
		t.Errorf("the key stands for %v (%v), want ten minutes", opened, err)
	}
	rooms := s.sfu.Rooms()
	if len(rooms) != 1 || rooms[0].Name != opened.Room || rooms[0].EmptyTimeout != 10*time.Minute || rooms[0].DepartureTimeout != 10*time.Minute || rooms[0].MaxParticipants != mostParticipants {
		t.Errorf("LiveKit has the rooms %+v, want %s for ten minutes", rooms, opened.Room)
	}
	if strings.ContainsAny(out, "█▀▄\x1b") {
		t.Errorf("what is no terminal gets a drawing: %q", out)
	}
}

func TestJSONAndMinutes(t *testing.T) {
	s := newScene(t)
	s.run(t) // for the address
	code, out, faults := s.run(t, "--json", "--minutes", "3", "--public-url", s.public)
	var link Link
	if err := json.Unmarshal([]byte(out), &link); code != 0 || err != nil {
		t.Fatalf("exit code %d, %q, %q", code, out, faults)
	}
	if left := time.Until(link.Expires); left > 3*time.Minute || left < 3*time.Minute-3*time.Second {
		t.Errorf("the link ends in %s, want 3 min", left)
	}
}

// What is wrong on the way is named before there is a link.
func TestNoLink(t *testing.T) {
	notFound := func(path string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, path) {
					w.Header().Set("Server", "nginx")
					http.Error(w, "<html><center>nginx</center>", http.StatusNotFound)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	for name, test := range map[string]struct {
		change func(s *scene)
		want   string
	}{
		"the proxy does not pass the page on": {func(s *scene) { s.front = notFound("/test") }, "have the proxy pass the path /test and all below it on, with GET and POST"},
		"it does not pass the tokens on":      {func(s *scene) { s.front = notFound("/test/token") }, "have the proxy pass the path /test and all below it on, with GET and POST"},
		"the page is off":                     {func(s *scene) { s.service.TestPage = nil }, "LIVEKIT_TEST_PAGE=off"},
		"the service has another secret": {func(s *scene) {
			s.service.TestPage.Keys = sfu.Always(sfu.Key{ID: "key", Secret: secret.New(strings.Repeat("t", 32))})
		}, "has another API secret than this environment"},
		"the service has another LiveKit": {func(s *scene) {
			other := sfutest.NewServer(key)
			s.service.TestPage.Rooms = sfu.NewClient(other.APIURL(), sfu.Always(key), sfu.NewHTTPClient(nil, nil))
		}, "asks another LiveKit than this environment names"},
		"the page is off here": {func(s *scene) { s.cfg.TestPage = false }, "LIVEKIT_TEST_PAGE=off"},
		"LiveKit is down":      {func(s *scene) { s.sfu.Down() }, "LiveKit makes no room"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.change(s)
			code, out, faults := s.run(t)
			if code != 1 || out != "" || !strings.Contains(faults, test.want) || strings.Contains(faults, strings.Repeat("s", 32)) {
				t.Errorf("exit code %d, %q, %q; want 1 with %q", code, out, faults, test.want)
			}
		})
	}
}

// Whoever gives the page's address for the service's is told so.
func TestPublicURLOfPage(t *testing.T) {
	s := newScene(t)
	s.run(t)
	for _, end := range []string{"/test", "/test/"} {
		t.Run(end, func(t *testing.T) {
			code, out, faults := s.run(t, "--public-url", s.public+end)
			const want = "--public-url is the address of the service, without /test at its end"
			if code != 1 || out != "" || !strings.Contains(faults, want) || strings.Contains(faults, "older version") {
				t.Errorf("%s: exit code %d, %q, %q; want 1 with %q", end, code, out, faults, want)
			}
		})
	}
}

// Where the router does not lead its own address back inside, there is a link with
// a note.
func TestUnreachable(t *testing.T) {
	s := newScene(t)
	s.run(t)
	code, out, faults := s.run(t, "--public-url", "http://127.0.0.1:1")
	if code != 0 || !strings.HasPrefix(out, "http://127.0.0.1:1/test#") || !strings.HasPrefix(faults, "note: http://127.0.0.1:1/test does not answer from here") {
		t.Errorf("exit code %d, %q, %q; want a link with a note", code, out, faults)
	}
}

func TestOptions(t *testing.T) {
	s := newScene(t)
	for _, args := range [][]string{{"--minutes", "0"}, {"--minutes", "61"}, {"--minutes", "ten"}, {"--public-url", "jwt.example.org"}, {"--public-url", "https://user:pass@jwt.example.org"},
		{"--public-url", "https://jwt.example.org?"}, {"--public-url", "https://jwt.example.org?a=b"}, {"--public-url", "https://jwt.example.org/#key"}, {"--public-url", "https:///test"}, {"--public-url", ""}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			code, out, faults := s.run(t, args...)
			if code != 2 || out != "" || strings.Contains(faults, "pass@") {
				t.Errorf("%q: exit code %d, %q, %q; want 2", args, code, out, faults)
			}
		})
	}
	if code, _, faults := s.run(t, "--json"); code != 1 || !strings.Contains(faults, "--public-url is missing") {
		t.Errorf("without an address: exit code %d, %q; want 1", code, faults)
	}
}

// At a terminal of 80 × 24 there is place for the code and the prompt, for addresses of
// up to 67 bytes, and of up to 39 for the link and its line besides.
func TestFits(t *testing.T) {
	for length, most := range map[int]int{22: 21, 39: 21, 40: 23, 67: 23} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			base := "https://jwt.example.org/" + strings.Repeat("p", 60)
			link := base[:length] + "#" + strings.Repeat("k", testlink.Length)
			for _, colour := range []bool{true, false} {
				drawn, wide, err := code(link, colour)
				if err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
				bare := strings.NewReplacer("\x1b[97;40m", "", "\x1b[0m", "").Replace(lines[0])
				t.Logf("a link of %d bytes: %d columns, %d lines", len(link), utf8.RuneCountInString(bare), len(lines))
				if columns := utf8.RuneCountInString(bare); columns != wide {
					t.Errorf("the code has %d columns, and says %d", columns, wide)
				}
				if len(lines) > most || utf8.RuneCountInString(bare) > 80 {
					t.Errorf("the code of %d bytes has %d columns and %d lines, want 80 and %d at most", len(link), utf8.RuneCountInString(bare), len(lines), most)
				}
			}
		})
	}
	var out bytes.Buffer
	o := Options{}
	link := Link{URL: strings.Repeat("u", 78), Expires: time.Now()}
	if err := o.show(&out, link); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSpace(line)) > 80 {
			t.Errorf("%q is longer than 80 columns", line)
		}
	}
}

func TestWatcher(t *testing.T) {
	var told []string
	w := &watcher{tests: map[string]progress{}, tell: func(e Event) {
		told = append(told, strings.TrimPrefix(e.String(), e.At.Local().Format("15:04:05")+" "))
	}}
	for _, said := range [][2]string{
		{"tester-0000000a", `{"name":"tester-0000000a","verdict":"udp","way":"udp","rtt":23,"loss":0.5}`},
		{"tester-0000000a-receiver", `{"name":"tester-0000000a","verdict":"no-media"}`},                        // again
		{"tester-0000000b", `{"name":"tester-0000000b","verdict":"forged\u001b[2J"}`},                          // no verdict of ours
		{"tester-0000000b", `{"name":"tester-0000000f","verdict":"no-media"}`},                                 // another's
		{"alice", `{"name":"alice","verdict":"udp"}`},                                                          // nobody's name
		{"tester-0000000c", `{"name":"tester-0000000c","verdict":"only-tcp","way":"a\u001b[2J"}`},              // no way of ours
		{"tester-0000000e-receiver", `{"name":"tester-0000000e","verdict":"only-tcp","way":"tcp"}`},            // a browser that tells no round trip
		{"tester-00000010", `{"name":"tester-00000010","verdict":"udp","way":"udp","rtt":23,"loss":1e308}`},    // more than all is lost
		{"tester-00000011", `{"name":"tester-00000011","verdict":"udp","way":"udp","rtt":-1,"loss":1}`},        // before it was sent
		{"tester-00000012", `{"name":"tester-00000012","verdict":"udp","way":"udp","rtt":100000000,"loss":1}`}, // after years
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

// Who is away for one look is not gone: the test closes its connections between its
// steps. And who seemed gone may still tell a verdict.
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
	here(true) // in time
	if want := "came"; strings.Join(told, " ") != want {
		t.Errorf("told %q, want %s", told, want)
	}
	here(false)
	w.look(t.Context()) // gone
	w.hear(verdictOf(name))
	w.hear(verdictOf(name))
	if want := "came left verdict"; strings.Join(told, " ") != want {
		t.Errorf("told %q, want %s", told, want)
	}
}

// Where LiveKit does not answer, the one who watches is told so, once.
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

// verdictOf is what a test sends that found all well.
func verdictOf(name string) instruments.Message {
	return instruments.Message{From: name, Text: fmt.Sprintf(`{"name":%q,"verdict":"udp","way":"udp","rtt":23,"loss":0}`, name)}
}

// However many take part, no more are kept and told of than a watcher can read.
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

// Who leaves without a verdict is told to have, and what that means where verdicts
// get here. The one who receives is nobody.
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
			w.look(t.Context()) // one's verdict is on its way still
			w.hear(verdictOf("tester-0000000b"))
			w.look(t.Context())
			w.look(t.Context())
			slices.Sort(told[:min(2, len(told))]) // who comes is told in no order
			wanted := []string{"tester-0000000a came", "tester-0000000b came", "tester-0000000b Calls will work here, over UDP (udp, 23 ms, 0.0 % lost)", want}
			if strings.Join(told, "\n") != strings.Join(wanted, "\n") {
				t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(wanted, "\n"))
			}
		})
	}
}
