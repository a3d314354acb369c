package doctor

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/goldentest"
)

// findings returns checks with findings of every kind, in the order of the
// report.
func findings() []*engine.Check {
	after := func(d time.Duration, f engine.Finding) func(context.Context) engine.Finding {
		return func(context.Context) engine.Finding { time.Sleep(d); return f }
	}
	environment := &engine.Check{ID: "config.environment", Run: after(0, ok("the service starts with this environment"))}
	addresses := &engine.Check{ID: "homeserver.addresses", Server: "example.org", Run: after(12*time.Millisecond, ok("example.org port 443: 198.51.100.7 answers"))}
	document := &engine.Check{ID: "homeserver.wellknown", Server: "example.org", Needs: []*engine.Check{addresses}, Run: after(30*time.Millisecond,
		found("wellknown-missing", engine.Vars{"server": "example.org", "document": "https://example.org/.well-known/matrix/client"},
			"GET https://example.org/.well-known/matrix/client: 404 Not Found, a page of nginx"))}
	foci := &engine.Check{ID: "homeserver.foci", Server: "example.org", Needs: []*engine.Check{document}}
	hidden := &engine.Check{ID: "sfu.api_hidden", Run: after(5*time.Millisecond,
		found("twirp-public", engine.Vars{"host": "sfu.example.org"}, "POST https://sfu.example.org/twirp/livekit.RoomService/ListRooms: Unauthorized"))}
	return []*engine.Check{environment, addresses, document, foci, hidden}
}

// TestGolden compares printed reports with the files in testdata. To write
// these files, run go test -run Golden ./doctor -update.
func TestGolden(t *testing.T) {
	var r engine.Report
	synctest.Test(t, func(t *testing.T) {
		checks := findings()
		engine.Run(t.Context(), new(instruments.Network).Limit, checks, func(string, engine.Status, int) {})
		r = engine.NewReport("0.2.0", "inside", causes.Groups, checks, causes.Fill)
	})
	var text, document bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&document); err != nil {
		t.Fatal(err)
	}
	goldentest.Hold(t, "testdata/report.txt", text.Bytes())
	goldentest.Hold(t, "testdata/report.json", document.Bytes())
}
