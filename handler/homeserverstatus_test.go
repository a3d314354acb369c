package handler

import (
	"encoding/json"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// TestStatusOfHomeservers checks that /_status shows the addresses of the
// homeservers that the operator named, and how the last request to each of them
// ended.
func TestStatusOfHomeservers(t *testing.T) {
	own, err := matrix.ParseServerName(homeserver)
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	use := matrix.Use{
		Server: own, Since: since, At: since.Add(time.Hour), Cause: matrix.CauseStatus, Status: 404,
		Destination: matrix.Destination{Scheme: "https", Addrs: []string{"web.example.org:443"}, Host: "web.example.org:443", TLSName: "web.example.org", FoundBy: matrix.FoundByWellKnown},
	}
	good := use
	good.Cause, good.Status, good.Answered = "", 0, true
	for _, c := range []struct {
		name string
		uses func() []matrix.Use
		want string
	}{
		{"nobody can say", nil, `[]`},
		{"none was asked", func() []matrix.Use { return nil }, `[]`},
		{"a website", func() []matrix.Use { return []matrix.Use{use} },
			`[{"server":"example.org","addresses":["web.example.org:443"],"host":"web.example.org:443","tls_name":"web.example.org",` +
				`"found_by":"well_known","since":"2026-11-23T08:00:00Z","outcome":"status","status":404,"answered":false,"at":"2026-11-23T09:00:00Z"}]`},
		{"a homeserver", func() []matrix.Use { return []matrix.Use{good} },
			`[{"server":"example.org","addresses":["web.example.org:443"],"host":"web.example.org:443","tls_name":"web.example.org",` +
				`"found_by":"well_known","since":"2026-11-23T08:00:00Z","outcome":"ok","answered":true,"at":"2026-11-23T09:00:00Z"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig()
			r.Webhooks.Keys, r.Homeservers = sfu.Always(testKey), c.uses
			w := r.serve("GET", "/_status", "", "Authorization", "Bearer "+sfutest.StatusToken(testKey, "matrixrtc-auth-status", time.Minute))
			var doc struct {
				Homeservers json.RawMessage `json:"homeservers"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || string(doc.Homeservers) != c.want {
				t.Errorf("%d, homeservers %s, %v, want %s", w.Code, doc.Homeservers, err, c.want)
			}
		})
	}
}
