package invite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"matrixrtc-auth/access"
	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
	"matrixrtc-auth/testlink"
)

var key = sfu.Key{ID: "key", Secret: secret.New(strings.Repeat("s", 32))}

// scene is a service with its SFU, and the proxy in front of the service.
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

// run runs the command as if it were typed in a shell.
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
	code = commandtest.Run(t.Context(), Command(load, instruments.New()), args, nil, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// TestLink checks that the link leads to the page of the connection test, and
// that the key in the link is for the room that LiveKit has. It also checks that
// LiveKit keeps the room as long as the link is valid.
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
		t.Errorf("the link's key is for %v (%v), want ten minutes", opened, err)
	}
	rooms := s.sfu.Rooms()
	if len(rooms) != 1 || rooms[0].Name != opened.Room || rooms[0].EmptyTimeout != 10*time.Minute || rooms[0].DepartureTimeout != 10*time.Minute || rooms[0].MaxParticipants != mostParticipants {
		t.Errorf("LiveKit has the rooms %+v, want %s for ten minutes", rooms, opened.Room)
	}
	if strings.ContainsAny(out, "█▀▄\x1b") {
		t.Errorf("the output where there is no terminal: got %q, want no drawing", out)
	}
}

func TestJSONAndMinutes(t *testing.T) {
	s := newScene(t)
	s.run(t) // run sets s.public, the address that the next line needs
	code, out, faults := s.run(t, "--json", "--minutes", "3", "--public-url", s.public)
	var link Link
	if err := json.Unmarshal([]byte(out), &link); code != 0 || err != nil {
		t.Fatalf("--json --minutes 3: got exit code %d, %q (%v), %q, want 0 and JSON", code, out, err, faults)
	}
	if left := time.Until(link.Expires); left > 3*time.Minute || left < 3*time.Minute-3*time.Second {
		t.Errorf("the link is valid for %s, want 3 min", left)
	}
}

// TestNoLink checks that the command makes no link if the proxy, the service or
// LiveKit has a fault, and that the command names the fault.
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
		"the proxy does not pass the page on": {func(s *scene) { s.front = notFound("/test") }, "let the proxy forward /test and all paths below it, with GET and POST"},
		"it does not pass the tokens on":      {func(s *scene) { s.front = notFound("/test/token") }, "let the proxy forward /test and all paths below it, with GET and POST"},
		"the page is off":                     {func(s *scene) { s.service.TestPage = nil }, "LIVEKIT_TEST_PAGE=off"},
		"the service has another secret": {func(s *scene) {
			s.service.TestPage.Keys = sfu.Always(sfu.Key{ID: "key", Secret: secret.New(strings.Repeat("t", 32))})
		}, "has another API secret than this environment"},
		"the service has another LiveKit": {func(s *scene) {
			other := sfutest.NewServer(key)
			s.service.TestPage.Rooms = sfu.NewClient(other.APIURL(), sfu.Always(key), sfu.NewHTTPClient(nil, nil))
		}, "uses another LiveKit than the environment of this command names"},
		"the page is off here": {func(s *scene) { s.cfg.TestPage = false }, "LIVEKIT_TEST_PAGE=off"},
		"LiveKit is down":      {func(s *scene) { s.sfu.Down() }, "LiveKit did not create the room"},
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

// TestPublicURLOfPage checks the error if --public-url is the address of the
// page of the connection test, and not the service's address.
func TestPublicURLOfPage(t *testing.T) {
	s := newScene(t)
	s.run(t)
	public := s.public
	for _, end := range []string{"/test", "/test/"} {
		t.Run(end, func(t *testing.T) {
			code, out, faults := s.run(t, "--public-url", public+end)
			const want = "--public-url is the address of the service, without /test at its end"
			if code != 1 || out != "" || !strings.Contains(faults, want) || strings.Contains(faults, "older version") {
				t.Errorf("%s: exit code %d, %q, %q; want 1 with %q", end, code, out, faults, want)
			}
		})
	}
}

// TestUnreachable checks a router that does not forward connections to its own
// public address. The command makes a link nevertheless, and prints a note.
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

// TestFits checks the size of the QR code by the length of the page's address.
// Up to 67 bytes, the code and the next prompt fit into a terminal of 80 × 24.
// Up to 39 bytes, the line with the link fits into the terminal, too.
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
					t.Errorf("a link of %d bytes: got a code of %d columns, want the %d that draw tells", len(link), columns, wide)
				}
				if len(lines) > most || utf8.RuneCountInString(bare) > 80 {
					t.Errorf("the QR code of a link of %d bytes has %d columns and %d lines, want at most 80 and %d", len(link), utf8.RuneCountInString(bare), len(lines), most)
				}
			}
		})
	}
	var out bytes.Buffer
	o := options{}
	link := Link{URL: strings.Repeat("u", 78), Expires: time.Now()}
	if err := o.show(&out, link); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSpace(line)) > 80 {
			t.Errorf("got the line %q, want at most 80 columns", line)
		}
	}
}
