package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"matrixrtc-auth/internal/goldentest"
)

// broken returns the report of an ordinary broken deployment: a fault, a
// warning, and checks that were not made.
func broken() Report {
	r := Report{Version: "0.3.0", Vantage: "inside", groups: []Group{{"config", "Configuration"}, {"homeserver", "Homeserver"}, {"sfu", "LiveKit"}, {"user", "A user's way into a call"}}}
	add := func(c Result) { r.Checks = append(r.Checks, c); r.Summary.count(c.Status) }
	for _, id := range []string{"config.environment", "config.keys", "homeserver.addresses", "homeserver.tls"} {
		add(Result{ID: id, Status: OK, Seen: "it is as it should be"})
	}
	add(Result{ID: "homeserver.wellknown", Server: "example.org", Status: Fail, Seen: "GET https://example.org/.well-known/matrix/client: 404 Not Found, a page of nginx",
		Cause:  "there is no https://example.org/.well-known/matrix/client, so clients do not learn where calls go",
		Remedy: "serve the file on example.org itself, what stands behind the colon of user ids without a port, not on matrix.example.org alone", ElementCallCode: "MISSING_MATRIX_RTC_TRANSPORT"})
	for _, id := range []string{"homeserver.foci", "homeserver.base_url"} {
		add(Result{ID: id, Status: NA, Seen: "not looked at: homeserver.wellknown must be right first"})
	}
	add(Result{ID: "sfu.api", Status: OK, Seen: "ListRooms at http://livekit:7880 took 5ms"})
	add(Result{ID: "sfu.api_hidden", Status: Warn, Seen: "POST https://sfu.example.org/twirp/livekit.RoomService/ListRooms: Unauthorized",
		Cause: "LiveKit's Room API can be reached from the internet; only the API secret protects it", Remedy: "refuse /twirp/ in the proxy of sfu.example.org"})
	add(Result{ID: "sfu.turn", Status: NA, Seen: "LiveKit hands out no TURN server"})
	return r
}

// TestScreen compares what a terminal shows with the files in testdata. To
// write these files, run go test -run Screen ./doctor/engine -update.
func TestScreen(t *testing.T) {
	for _, width := range []int{80, 120} {
		for _, colour := range []bool{false, true} {
			for _, all := range []bool{false, true} {
				name := fmt.Sprintf("screen-%d", width)
				if colour {
					name += "-colour"
				}
				if all {
					name += "-all"
				}
				t.Run(name, func(t *testing.T) {
					var b bytes.Buffer
					if err := (Screen{Width: width, Height: 24, Colour: colour, All: all}).Write(&b, broken()); err != nil {
						t.Fatal(err)
					}
					goldentest.Hold(t, "testdata/"+name+".txt", b.Bytes())
					for line := range strings.Lines(b.String()) {
						if n := visible(strings.TrimSuffix(line, "\n")); n > width {
							t.Errorf("%s: got a line of %d characters, want at most %d: %q", name, n, width, line)
						}
					}
				})
			}
		}
	}
}

// TestLastScreen checks the last 24 lines of a long report. They must show
// every fault, or say how many faults are above.
func TestLastScreen(t *testing.T) {
	for faults, want := range map[int]string{1: "1 fault", 9: "scroll up for"} {
		t.Run(fmt.Sprintf("%d faults", faults), func(t *testing.T) {
			r := broken()
			for i := 1; i < faults; i++ {
				c := r.Checks[4]
				c.ID = fmt.Sprintf("homeserver.fault%d", i)
				r.Checks = append(r.Checks, c)
				r.Summary.Fail++
			}
			var b bytes.Buffer
			if err := (Screen{Width: 80, Height: 24, Note: "a note"}).Write(&b, r); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(b.String()), "\n")
			seen := strings.Count(strings.Join(lines[max(0, len(lines)-23):], "\n"), "✗ homeserver.")
			last := lines[len(lines)-1]
			if seen < faults && !strings.Contains(last, fmt.Sprintf("scroll up for %s", plural(faults-seen, "fault"))) || !strings.Contains(last, want) {
				t.Errorf("%d faults: got %d on the last screen and the last line %q, want all, or the number of the others, and %q", faults, seen, last, want)
			}
		})
	}
}

// TestReasonOnce has two checks that were not made for the same reason. The
// report must give this reason only once.
func TestReasonOnce(t *testing.T) {
	file := &Check{ID: "a.file", Run: ends(NotLooked("there is no file"))}
	keys := &Check{ID: "a.keys", Needs: []*Check{file}, Run: ends(Right("x"))}
	Run(t.Context(), usual, []*Check{file, keys}, ignore)
	r := NewReport("1", "inside", []Group{{"a", "A"}}, []*Check{file, keys}, func(text string, _ Vars) string { return text })
	var b bytes.Buffer
	if err := (Screen{}).Write(&b, r); err != nil {
		t.Fatal(err)
	}
	if want := "– A: 2 not looked at: there is no file\n"; !strings.Contains(b.String(), want) {
		t.Errorf("got %q, want %q in it", b.String(), want)
	}
}
