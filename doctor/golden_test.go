package doctor

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// findings are some of a run, in its order.
func findings() []*Check {
	after := func(d time.Duration, f Finding) func(context.Context) Finding {
		return func(context.Context) Finding { time.Sleep(d); return f }
	}
	environment := &Check{ID: "config.environment", Run: after(0, ok("the service would start with it"))}
	addresses := &Check{ID: "homeserver.addresses", Server: "example.org", Run: after(12*time.Millisecond, ok("example.org port 443: 198.51.100.7 answers"))}
	document := &Check{ID: "homeserver.wellknown", Server: "example.org", Needs: []*Check{addresses}, Run: after(30*time.Millisecond,
		found("wellknown-missing", vars{"server": "example.org", "document": "https://example.org/.well-known/matrix/client"},
			"GET https://example.org/.well-known/matrix/client: 404 Not Found, a page of nginx"))}
	foci := &Check{ID: "homeserver.foci", Server: "example.org", Needs: []*Check{document}}
	hidden := &Check{ID: "sfu.api_hidden", Run: after(5*time.Millisecond,
		found("twirp-public", vars{"host": "sfu.example.org"}, "POST https://sfu.example.org/twirp/livekit.RoomService/ListRooms: Unauthorized"))}
	return []*Check{environment, addresses, document, foci, hidden}
}

// TestGolden holds what is printed against testdata; go test -run Golden
// ./doctor -update writes it.
func TestGolden(t *testing.T) {
	var r Report
	synctest.Test(t, func(t *testing.T) {
		checks := findings()
		run(t.Context(), checks, ignore)
		r = report("0.2.0", "inside", checks)
	})
	var text, document bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&document); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.txt", text.Bytes())
	golden(t, "testdata/report.json", document.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is printed:\n%s", name, got)
	}
}

// TestProgress: a line for each check in a log, one that changes at a terminal.
func TestProgress(t *testing.T) {
	for terminal, want := range map[bool]string{
		false: "a.one: ok (1 left)\na.two: ok (0 left)\n",
		true:  "\r\x1b[Ka.one: 1 checks left\r\x1b[K",
	} {
		var b bytes.Buffer
		p := &progress{w: &b, terminal: terminal}
		for i, id := range []string{"a.one", "a.two"} {
			p.ended(&Check{ID: id, ended: ended{Finding: ok("")}}, 1-i)
		}
		if b.String() != want {
			t.Errorf("terminal %v: %q, want %q", terminal, b.String(), want)
		}
	}
}
