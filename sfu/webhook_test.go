package sfu_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/protojson"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

const hook = "http://service.example.org/sfu_webhook"

var webhooks = sfu.Webhooks{Keys: sfu.Always(sfu.Key{ID: "older", Secret: secret.New("older-secret")}, key)}

// leaving returns a webhook about a participant who has left.
func leaving() *livekit.WebhookEvent {
	return &livekit.WebhookEvent{
		Event: "participant_left", Id: "EV_1", CreatedAt: 1_800_000_000,
		Room: &livekit.Room{Name: "room"},
		Participant: &livekit.ParticipantInfo{
			Sid: "PA_1", Identity: string(identity), DisconnectReason: livekit.DisconnectReason_CLIENT_INITIATED,
		},
	}
}

func webhook(flaws ...sfutest.Flaw) *http.Request {
	return sfutest.New(key).NewWebhook(hook, leaving(), flaws...)
}

func receive(t *testing.T, r *http.Request) sfu.Event {
	t.Helper()
	e, err := webhooks.Receive(r)
	if err != nil {
		t.Errorf("Receive: got %v, want no error", err)
	}
	return e
}

func TestReceive(t *testing.T) {
	want := sfu.Event{
		Kind: sfu.KindLeft, Room: "room", Identity: identity, Session: "PA_1", Reason: sfu.ReasonClear,
		Name: "participant_left", Disconnect: "CLIENT_INITIATED", ID: "EV_1", At: time.Unix(1_800_000_000, 0),
	}
	if got := receive(t, webhook()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestReceiveFromLiveKit checks that Receive accepts webhooks that LiveKit's
// own library has signed and written.
func TestReceiveFromLiveKit(t *testing.T) {
	body, err := protojson.Marshal(leaving())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	token, err := auth.NewAccessToken(key.ID, apiSecret).SetValidFor(5 * time.Minute).
		SetSha256(base64.StdEncoding.EncodeToString(sum[:])).ToJWT()
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "/sfu_webhook", bytes.NewReader(body))
	req.Header.Set("Authorization", token)
	if got := receive(t, req); got.Kind != sfu.KindLeft || got.Session != "PA_1" {
		t.Errorf("Receive: got %+v, want %v of PA_1", got, sfu.KindLeft)
	}
}

func TestReceiveFromFake(t *testing.T) {
	_, server := start(t)
	var got []sfu.Event
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, receive(t, r))
	}))
	defer service.Close()
	client := sfu.NewClient(server.APIURL(), sfu.Always(key), httpClient(t))
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	joined := server.Join("room", identity)
	left := server.Leave("room", identity, livekit.DisconnectReason_SERVER_SHUTDOWN)
	for _, event := range []*livekit.WebhookEvent{left, joined} {
		if status, err := server.SendWebhook(service.URL, event); status != http.StatusOK || err != nil {
			t.Errorf("SendWebhook: got %d, %v, want 200", status, err)
		}
	}
	if len(got) != 2 || got[0].Kind != sfu.KindLeft || got[0].Reason != sfu.ReasonServerShutdown ||
		got[1].Kind != sfu.KindJoined || got[0].Session != got[1].Session || got[1].Identity != identity {
		t.Errorf("got the events %+v, want a leave at the server's shutdown and a join, both of %s in one session", got, identity)
	}
}

func TestReceiveKinds(t *testing.T) {
	for name, want := range map[string]sfu.Kind{
		"participant_joined":             sfu.KindJoined,
		"participant_left":               sfu.KindLeft,
		"participant_connection_aborted": sfu.KindAborted,
		"room_started":                   sfu.KindOther,
		"room_finished":                  sfu.KindOther,
		"track_published":                sfu.KindOther,
		"egress_started":                 sfu.KindOther,
		"PARTICIPANT_LEFT":               sfu.KindOther,
		"something_new":                  sfu.KindOther,
		"":                               sfu.KindOther,
	} {
		t.Run(name, func(t *testing.T) {
			event := leaving()
			event.Event = name
			for _, c := range []struct {
				want  sfu.Kind
				flaws []sfutest.Flaw
			}{
				{want, nil},
				{want, []sfutest.Flaw{sfutest.NoSession()}},
				{sfu.KindOther, []sfutest.Flaw{sfutest.NoRoom()}},
				{sfu.KindOther, []sfutest.Flaw{sfutest.NoParticipant()}},
				{sfu.KindOther, []sfutest.Flaw{sfutest.NoRoom(), sfutest.NoParticipant()}},
			} {
				got := receive(t, sfutest.New(key).NewWebhook(hook, event, c.flaws...))
				if got.Kind != c.want || got.Name != name {
					t.Errorf("%q: got %+v, want kind %q", name, got, c.want)
				}
			}
		})
	}
}

func TestReceiveReasons(t *testing.T) {
	special := map[string]sfu.Reason{
		"CLIENT_INITIATED":    sfu.ReasonClear,
		"PARTICIPANT_REMOVED": sfu.ReasonClear,
		"ROOM_DELETED":        sfu.ReasonClear,
		"SERVER_SHUTDOWN":     sfu.ReasonServerShutdown,
	}
	for number, name := range livekit.DisconnectReason_name {
		want, ok := special[name]
		if !ok {
			want = sfu.ReasonOther
		}
		event := leaving()
		event.Participant.DisconnectReason = livekit.DisconnectReason(number)
		got := receive(t, sfutest.New(key).NewWebhook(hook, event))
		if got.Reason != want || got.Disconnect != name {
			t.Errorf("%s: got %+v, want reason %q", name, got, want)
		}
	}
}

// TestReceiveVariants checks that Receive reads webhooks of other versions of
// LiveKit, and other forms of the same JSON.
func TestReceiveVariants(t *testing.T) {
	const room, who = `"room":{"name":"room"}`, `"sid":"PA_1","identity":"alice"`
	for body, want := range map[string]sfu.Event{
		`{}`:                                   {Kind: sfu.KindOther, Reason: sfu.ReasonOther, Disconnect: "UNKNOWN_REASON"},
		`{"event":"x","room":null,"track":{}}`: {Kind: sfu.KindOther, Name: "x", Reason: sfu.ReasonOther, Disconnect: "UNKNOWN_REASON"},
		`{"event":"participant_left",` + room + `,"participant":{` + who + `,"disconnect_reason":4,"new":[{}]},"new":{"a":1},"created_at":"7"}`: {
			Kind: sfu.KindLeft, Room: "room", Identity: "alice", Session: "PA_1", Reason: sfu.ReasonClear,
			Name: "participant_left", Disconnect: "PARTICIPANT_REMOVED", At: time.Unix(7, 0),
		},
		`{"event":"participant_left",` + room + `,"participant":{` + who + `,"disconnectReason":"BRAND_NEW","state":"ODD"},"createdAt":"-5"}`: {
			Kind: sfu.KindLeft, Room: "room", Identity: "alice", Session: "PA_1", Reason: sfu.ReasonOther,
			Name: "participant_left", Disconnect: "UNKNOWN_REASON",
		},
		`{"event":"participant_left",` + room + `,"participant":{` + who + `,"disconnectReason":99}}`: {
			Kind: sfu.KindLeft, Room: "room", Identity: "alice", Session: "PA_1", Reason: sfu.ReasonOther,
			Name: "participant_left", Disconnect: "99",
		},
	} {
		t.Run(body, func(t *testing.T) {
			if got := receive(t, webhook(sfutest.Body(body))); got != want {
				t.Errorf("%s: got %+v, want %+v", body, got, want)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	req := webhook()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		req.Body = io.NopCloser(bytes.NewReader(body))
		if _, err := webhooks.Receive(req); err != nil {
			b.Fatal(err)
		}
	}
}
