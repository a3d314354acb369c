package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// hear sends a webhook with event to the handler, and returns the answer.
func (d *delegating) hear(event *livekit.WebhookEvent, flaws ...sfutest.Flaw) *httptest.ResponseRecorder {
	if d.mux == nil {
		d.Routes()
	}
	d.Webhooks.Keys = sfu.Always(testKey)
	req := sfutest.New(testKey).NewWebhook("http://service.example/sfu_webhook", event, flaws...)
	req.RemoteAddr = "127.0.0.1:1234"
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, req)
	return w
}

func event(name string, reason livekit.DisconnectReason) *livekit.WebhookEvent {
	return &livekit.WebhookEvent{
		Event: name, Id: "EV_1", Room: &livekit.Room{Name: "room"},
		Participant: &livekit.ParticipantInfo{Sid: "PA_1", Identity: "alice", DisconnectReason: reason},
	}
}

func TestWebhooksAreReported(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason livekit.DisconnectReason
		kind   sfu.Kind
		want   sfu.Reason
	}{
		{"participant_joined", 0, sfu.KindJoined, sfu.ReasonOther},
		{"participant_left", livekit.DisconnectReason_CLIENT_INITIATED, sfu.KindLeft, sfu.ReasonClear},
		{"participant_left", livekit.DisconnectReason_DUPLICATE_IDENTITY, sfu.KindLeft, sfu.ReasonOther},
		{"participant_left", livekit.DisconnectReason_SERVER_SHUTDOWN, sfu.KindLeft, sfu.ReasonServerShutdown},
		{"participant_connection_aborted", livekit.DisconnectReason_ROOM_DELETED, sfu.KindAborted, sfu.ReasonClear},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDelegating(t)
			w := d.hear(event(c.name, c.reason))
			want := sfu.Event{
				Kind: c.kind, Room: "room", Identity: "alice", Session: "PA_1", Reason: c.want,
				Name: c.name, Disconnect: c.reason.String(), ID: "EV_1",
			}
			if w.Code != 200 || w.Body.Len() > 0 || !slices.Equal(d.keeper.reports, []sfu.Event{want}) {
				t.Errorf("%s: got %d %s, %+v, want 200 and %+v", c.name, w.Code, w.Body, d.keeper.reports, want)
			}
			wantCORS(t, c.name, w.Header(), "POST")
		})
	}
}

// TestEveryObserverHears checks that each observer gets the event of a webhook,
// even if another observer could not store the event. The answer must make
// LiveKit send the webhook again.
func TestEveryObserverHears(t *testing.T) {
	d := newDelegating(t)
	second := &fakeKeeper{}
	d.Observers = append(d.Observers, second)
	for want, err := range map[int]error{200: nil, 503: leave.ErrAway} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			d.keeper.err, d.keeper.reports, second.reports = err, nil, nil
			w := d.hear(event("participant_joined", 0))
			if w.Code != want || len(d.keeper.reports) != 1 || len(second.reports) != 1 {
				t.Errorf("with the first one's error %v: got %d, %d and %d reports, want %d, 1 and 1", err, w.Code, len(d.keeper.reports), len(second.reports), want)
			}
		})
	}
}

// TestWebhooksThatSayNothing checks webhooks that do not say which participant
// joined or left. They must get 200.
func TestWebhooksThatSayNothing(t *testing.T) {
	for name, flaws := range map[string][]sfutest.Flaw{
		"participant_joined": {sfutest.NoParticipant()}, "participant_left": {sfutest.NoRoom()},
		"egress_started": {sfutest.NoRoom(), sfutest.NoParticipant()}, "room_finished": {sfutest.NoParticipant()},
		"track_published": nil, "of_the_future": nil,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDelegating(t)
			if w := d.hear(event(name, 0), flaws...); w.Code != 200 || len(d.keeper.reports) > 0 {
				t.Errorf("%s: got %d %s and the reports %+v, want 200 and none", name, w.Code, w.Body, d.keeper.reports)
			}
			if got := d.log.String(); !strings.Contains(got, "level=DEBUG") || strings.Contains(got, "level=INFO") {
				t.Errorf("%s: log: got %s, want level=DEBUG", name, got)
			}
		})
	}
	d := newDelegating(t)
	d.Delegation, d.Observers = nil, nil
	if w := d.hear(event("participant_left", 0)); w.Code != 200 {
		t.Errorf("while delegation is off: got %d %s, want 200", w.Code, w.Body)
	}
}

// TestTheEndOfARoomIsTold checks that the service calls Closed for a room that
// the SFU has closed, and for no other room.
func TestTheEndOfARoomIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		event string
		flaw  sfutest.Flaw
		want  []sfu.Room
	}{
		"a room that is closed":   {"room_finished", sfutest.NoParticipant(), []sfu.Room{"room"}},
		"one without a name":      {"room_finished", sfutest.NoRoom(), nil},
		"a room that is opened":   {"room_started", sfutest.NoParticipant(), nil},
		"a participant that left": {"participant_left", sfutest.NoSession(), nil},
		"a stranger's word":       {"room_finished", sfutest.WrongSecret(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDelegating(t)
			var got []sfu.Room
			d.Closed = func(room sfu.Room) { got = append(got, room) }
			d.hear(event(c.event, 0), c.flaw)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: told of %q, want %q", c.event, got, c.want)
			}
		})
	}
}

func TestWebhooksThatAreRefused(t *testing.T) {
	d := newDelegating(t)
	d.Handler.Metrics = metrics.New("test")
	d.Authorizer.Metrics = d.Handler.Metrics
	for cause, c := range map[string]struct {
		flaw   sfutest.Flaw
		status int
	}{
		sfu.RejectedHeader:    {sfutest.NoHeader(), 401},
		sfu.RejectedKey:       {sfutest.UnknownKey(), 401},
		sfu.RejectedSignature: {sfutest.WrongSecret(), 401},
		sfu.RejectedDigest:    {sfutest.WrongDigest(), 401},
		sfu.RejectedAge:       {sfutest.Aged(time.Hour), 401},
		sfu.RejectedNotJSON:   {sfutest.Body("{"), 400},
		sfu.RejectedTooLarge:  {sfutest.Body(strings.Repeat(" ", 1<<20+1)), 413},
	} {
		t.Run(cause, func(t *testing.T) {
			w := d.hear(event("participant_left", 0), c.flaw)
			if w.Code != c.status || len(d.keeper.reports) > 0 {
				t.Errorf("%s: %d %s, want %d", cause, w.Code, w.Body, c.status)
			}
			if want := "cause=webhook_" + cause; !strings.Contains(d.log.String(), want) {
				t.Errorf("the log lacks %s: got %s, want %q in it", want, d.log, want)
			}
			if want := `webhooks_total{result="` + cause + `"} 1`; !strings.Contains(scrape(d.Handler.Metrics), want) {
				t.Errorf("metrics: got none like it, want %s", want)
			}
		})
	}
}

// TestWebhookThatIsNotKept checks a webhook whose event the service could not
// store. The answer must be an error, so that LiveKit sends the webhook again.
func TestWebhookThatIsNotKept(t *testing.T) {
	for want, err := range map[int]error{503: fmt.Errorf("unknown: %w", leave.ErrAway), 500: errors.New("disk full")} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			d := newDelegating(t)
			d.keeper.err = err
			if w := d.hear(event("participant_left", 0)); w.Code != want {
				t.Errorf("%v: %d %s, want %d", err, w.Code, w.Body, want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	d := newDelegating(t)
	d.Routes()
	for i := range 150 {
		e := event("participant_joined", 0)
		e.Room.Name = fmt.Sprint("room", i%120)
		d.hear(e)
	}
	d.hear(event("participant_left", 0), sfutest.WrongSecret())
	d.Health = func() Health { return Health{Degraded: []string{"one", "two"}} }
	d.LogStatus = func() LogStatus { return LogStatus{Waiting: 1, Dropped: 2, Cause: "broken pipe"} }
	d.Leaves = func(context.Context) LeaveStatus {
		return LeaveStatus{RefusedBy: []string{"x.org"}, Limited: []LimitedStatus{{Server: "y.org", Count: 185, Last: time.Unix(1, 0).UTC()}}, Jobs: map[leave.State]int{leave.Waiting: 2}, Store: StoreStatus{Kind: "file", State: "ok"}, SFUAnswers: true}
	}
	token := "Bearer " + sfutest.StatusToken(testKey, "matrixrtc-auth-status", time.Minute)
	w := d.serve("GET", "/_status", "", "Authorization", token, "X-Forwarded-For", "192.0.2.9")
	if w.Code != 200 {
		t.Fatalf("got %d %s, want 200", w.Code, w.Body)
	}
	var doc statusDocument
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != "1.2.3" || doc.Status != "degraded" || doc.Client.Address.String() != "192.0.2.9" || !doc.Client.ViaProxy {
		t.Errorf("got %+v, want version 1.2.3, degraded, asked by 192.0.2.9 through a proxy", doc)
	}
	if got, want := fmt.Sprint(doc.Reasons, doc.Log), "[one two] {1 2 broken pipe}"; got != want {
		t.Errorf("reasons and log: %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(doc.Leaves.Limited), "[{y.org 185 1970-01-01 00:00:01 +0000 UTC}]"; got != want {
		t.Errorf("limited by: %s, want %s", got, want)
	}
	hooks := doc.Webhooks
	if hooks.Verified != 150 || hooks.Rejected["signature"] != 1 || hooks.Last == nil || len(hooks.Rooms) != 100 || hooks.Rooms[99] != "room29" {
		t.Errorf("got %+v, want 150 verified, one refused signature, and the last 100 rooms", hooks)
	}
	if l := doc.Leaves; !l.Offered || l.Jobs[leave.Waiting] != 2 || l.Store.Kind != "file" || l.RefusedBy[0] != "x.org" {
		t.Errorf("got %+v, want leaves offered, two waiting, in a file, refused by x.org", l)
	}
	if strings.Contains(w.Body.String(), testKey.Secret.Reveal()) {
		t.Errorf("the secret: got %s, want no %q in it", w.Body.String(), testKey.Secret.Reveal())
	}
}

// TestStatusIsNobodyElses checks that only the operator can read /_status.
// Everybody else must get the same answer as for an unknown path.
func TestStatusIsNobodyElses(t *testing.T) {
	d := newDelegating(t)
	d.Webhooks.Keys = sfu.Always(testKey)
	const id = "the-same"
	nowhere := d.serve("GET", "/nowhere", "", headerRequestID, id)
	good := sfutest.StatusToken(testKey, "matrixrtc-auth-status", time.Minute)
	other := testKey
	other.ID = "other"
	for name, headers := range map[string][]string{
		"nothing":        {},
		"no token":       {"Authorization", "Bearer "},
		"another key":    {"Authorization", "Bearer " + sfutest.StatusToken(other, "matrixrtc-auth-status", time.Minute)},
		"another use":    {"Authorization", "Bearer " + sfutest.StatusToken(testKey, "something", time.Minute)},
		"lives too long": {"Authorization", "Bearer " + sfutest.StatusToken(testKey, "matrixrtc-auth-status", 2*time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.serve("GET", "/_status", "", append(headers, headerRequestID, id)...)
			if w.Code != 404 || w.Body.String() != nowhere.Body.String() || fmt.Sprint(w.Header()) != fmt.Sprint(nowhere.Header()) {
				t.Errorf("%s: got %d %v %s, want the 404 of any other path", name, w.Code, w.Header(), w.Body)
			}
		})
	}
	for _, method := range []string{"POST", "HEAD", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			if w := d.serve(method, "/_status", "", "Authorization", "Bearer "+good); w.Code != 404 || w.Header().Get("Allow") != "" {
				t.Errorf("%s: got %d %v, want 404 without Allow", method, w.Code, w.Header())
			}
		})
	}
	if w := d.serve("GET", "/_status", "", "Authorization", good); w.Code != 200 {
		t.Errorf("the operator: got %d %s, want 200", w.Code, w.Body)
	}
}

func TestHealthStates(t *testing.T) {
	d := newDelegating(t)
	for want, h := range map[string]Health{
		`200 {"status":"ok","version":"1.2.3"}`:                                   {},
		`200 {"status":"degraded","reasons":["x","y"],"version":"1.2.3"}`:         {Degraded: []string{"x", "y"}},
		`503 {"errcode":"M_UNKNOWN","error":"Delegated leaves make no progress"}`: {Degraded: []string{"x"}, Stalled: true},
	} {
		t.Run(want, func(t *testing.T) {
			d.Health = func() Health { return h }
			w := d.serve("GET", "/healthz", "")
			if got := fmt.Sprintf("%d %s", w.Code, w.Body); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
