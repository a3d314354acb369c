package sfu_test

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
	"matrixrtc-auth/token"
)

// join makes the bearer of a token join the room "room". The token contains ticket.
func join(t *testing.T, server *sfutest.Server, ticket, suffix string) *livekit.WebhookEvent {
	t.Helper()
	minted := token.NewMinter(key, time.Hour).Mint(token.Grant{Room: "room", Identity: identity, Ticket: ticket}, time.Now())
	event := server.Connect(minted, suffix)
	if event == nil {
		t.Fatal("Join by the bearer of a token: got none, want an event")
	}
	return event
}

// TestParticipants checks that the list has everybody who is in the room. For each
// of them, it must have the ticket that the participant's token contained.
func TestParticipants(t *testing.T) {
	client, server := start(t)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	if all, err := client.Participants(t.Context(), "nowhere"); err != nil || len(all) != 0 {
		t.Errorf("in a room that is none: got %v, %v, want nobody", all, err)
	}
	began := time.Now().Truncate(time.Millisecond)
	first := join(t, server, "sealed", "").Participant
	second := join(t, server, "sealed", "screen").Participant
	recorder := server.JoinAs("room", "recorder", nil, livekit.ParticipantInfo_EGRESS).Participant
	all, err := client.Participants(t.Context(), "room")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if p.Since.Before(began) || p.Since.After(time.Now()) {
			t.Errorf("%s is there since %s, want from %s on", p.Identity, p.Since, began)
		}
		all[i].Since = time.Time{}
	}
	slices.SortFunc(all, func(a, b sfu.Participant) int { return cmp.Compare(a.Session, b.Session) })
	want := []sfu.Participant{
		{Identity: identity, Session: first.Sid, Ticket: "sealed"},
		{Identity: identity + "#screen", Session: second.Sid, Ticket: "sealed"},
		{Identity: "recorder", Session: recorder.Sid, Machine: true},
	}
	if !slices.Equal(all, want) {
		t.Errorf("got %+v, want %+v", all, want)
	}
}

func TestParticipantsWhoHaveLeft(t *testing.T) {
	client, server := startInCall(t)
	gone := &livekit.ParticipantInfo{Sid: "PA_9", Identity: "gone", State: livekit.ParticipantInfo_DISCONNECTED}
	whole := &livekit.ParticipantInfo{Sid: "PA_8", Identity: "joining", State: livekit.ParticipantInfo_JOINING, JoinedAt: 1_800_000_000}
	server.FailNext(answer(&livekit.ListParticipantsResponse{Participants: []*livekit.ParticipantInfo{gone, whole}}))
	want := []sfu.Participant{{Identity: "joining", Session: "PA_8", Since: time.Unix(1_800_000_000, 0)}}
	if all, err := client.Participants(t.Context(), "room"); err != nil || !slices.Equal(all, want) {
		t.Errorf("got %+v, %v, want %+v", all, err, want)
	}
	for name, broken := range map[string]*livekit.ParticipantInfo{"no sid": {Identity: "a"}, "no identity": {Sid: "PA_1"}} {
		t.Run(name, func(t *testing.T) {
			server.FailNext(answer(&livekit.ListParticipantsResponse{Participants: []*livekit.ParticipantInfo{whole, broken}}))
			all, err := client.Participants(t.Context(), "room")
			wantFailure(t, err, "ListParticipants", sfu.CauseNotTwirp)
			if all != nil {
				t.Errorf("Participants with one that has %s: got %v beside an error, want none", name, all)
			}
		})
	}
}

func TestListRooms(t *testing.T) {
	client, server := start(t)
	for _, room := range []sfu.Room{"a", "b"} {
		if err := client.CreateRoom(t.Context(), room); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := client.ListRooms(t.Context()); err != nil || !slices.Equal(all, []sfu.Room{"a", "b"}) {
		t.Errorf("got %v, %v, want a and b", all, err)
	}
	server.FailNext(sfutest.Status(http.StatusBadGateway))
	_, err := client.ListRooms(t.Context())
	wantFailure(t, err, "ListRooms", sfu.CauseStatus)
}

// TestRemove checks that Remove ends only the session of the identity. Every
// other session must stay, even a second session with the same token.
func TestRemove(t *testing.T) {
	client, server := startInCall(t)
	server.Join("room", identity+"#screen")
	sid := server.Live("room", identity)
	before := time.Now().Unix()
	for range 2 { // removing a participant who has left also succeeds
		if err := client.Remove(t.Context(), "room", identity); err != nil {
			t.Fatal(err)
		}
	}
	removals := server.Removals()
	if len(removals) != 1 || removals[0].Session != sid {
		t.Fatalf("removed %+v, want %s alone", removals, sid)
	}
	if revoke := removals[0].Revoke; revoke < before || revoke > time.Now().Unix() {
		t.Errorf("revoke_token_ts is %d, want the time of the call, from %d on", revoke, before)
	}
	if reason := removals[0].Report.Participant.DisconnectReason; reason != livekit.DisconnectReason_PARTICIPANT_REMOVED {
		t.Errorf("got the reason %s, want %s", reason, livekit.DisconnectReason_PARTICIPANT_REMOVED)
	}
	if server.Live("room", identity+"#screen") == "" {
		t.Error("the second session: got none, want it alive")
	}
}

func TestRemoveFails(t *testing.T) {
	client, server := startInCall(t)
	server.FailNext(sfutest.TwirpError("unavailable", "no response from servers"))
	wantFailure(t, client.Remove(t.Context(), "room", identity), "RemoveParticipant", sfu.CauseNoNode)
	if server.Live("room", identity) == "" {
		t.Error("got no session, want it not removed")
	}
}

// TestLostAnswers checks a removal whose answer gets lost. Then the participant
// joins again. The client must not repeat the removal, because the new session must
// stay.
func TestLostAnswers(t *testing.T) {
	for name, lost := range map[string]sfutest.Fault{"closed": sfutest.Drop(), "silent": sfutest.Hang()} {
		t.Run(name, func(t *testing.T) {
			client, server := startInCall(t)
			if _, err := client.ListRooms(t.Context()); err != nil { // this call leaves a connection that the next call reuses
				t.Fatal(err)
			}
			calls, before := 0, server.Live("room", identity)
			back := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				calls++
				next.ServeHTTP(httptest.NewRecorder(), r)
				server.Join("room", identity)
				lost(w, r, next)
			}
			server.FailNext(back, back)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := client.Remove(ctx, "room", identity); err == nil {
				t.Error("without an answer: got no error, want one")
			}
			removals := server.Removals()
			if calls != 1 || len(removals) != 1 || removals[0].Session != before {
				t.Errorf("called %d times, removed %+v, want %s alone", calls, removals, before)
			}
			if server.Live("room", identity) == "" {
				t.Error("who came back: got no session, want it not removed")
			}
		})
	}
}

// TestEventOfParticipant checks that a webhook describes a participant in the
// same way as the SFU's answer to a question about the participants of a room.
func TestEventOfParticipant(t *testing.T) {
	client, server := start(t)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	report := join(t, server, "sealed", "")
	all, err := client.Participants(t.Context(), "room")
	if err != nil {
		t.Fatal(err)
	}
	e := receive(t, server.NewWebhook(hook, report))
	if got := []sfu.Participant{e.Participant()}; !slices.Equal(got, all) {
		t.Errorf("the webhook: got %+v, want the list's %+v", got, all)
	}
	machine := receive(t, server.NewWebhook(hook, server.JoinAs("room", "recorder", nil, livekit.ParticipantInfo_EGRESS)))
	if !machine.Machine || machine.Ticket != "" {
		t.Errorf("an egress: got %+v, want a machine without a ticket", machine)
	}
}
