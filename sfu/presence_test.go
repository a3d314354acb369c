package sfu_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

const identity = sfu.Identity("@alice:example.com:DEVICE")

func wantSession(t *testing.T, client *sfu.Client, want string) {
	t.Helper()
	if got, err := client.Session(t.Context(), "room", identity); got != want || err != nil {
		t.Errorf("Session = %q, %v, want %q", got, err, want)
	}
}

func wantSessions(t *testing.T, client *sfu.Client, want map[sfu.Identity]string) {
	t.Helper()
	if got, err := client.Sessions(t.Context(), "room"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Sessions = %v, %v, want %v", got, err, want)
	}
}

// answer returns a fault that makes the fake SFU answer with the status 200 and the
// message m.
func answer(m proto.Message) sfutest.Fault {
	body, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return sfutest.Answer(http.StatusOK, "application/protobuf", string(body))
}

func TestSession(t *testing.T) {
	client, server := start(t)
	nobody := map[sfu.Identity]string{}

	wantSession(t, client, "") // the room does not exist yet
	wantSessions(t, client, nobody)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	wantSession(t, client, "")
	wantSessions(t, client, nobody)

	first := server.Join("room", identity).Participant.Sid
	wantSession(t, client, first)
	second := server.Join("room", identity).Participant.Sid
	if first == second {
		t.Errorf("two sessions: got the sid %v of both, want two", first)
	}
	bob := server.Join("room", "bob").Participant.Sid
	wantSession(t, client, second)
	wantSessions(t, client, map[sfu.Identity]string{identity: second, "bob": bob})

	server.Vanish("room", identity)
	wantSession(t, client, "")
	wantSessions(t, client, map[sfu.Identity]string{"bob": bob})
	server.CloseRoom("room")
	wantSessions(t, client, nobody)
}

// TestSessionBesideIdentity checks that a second session "identity#suffix" does
// not count as the presence of a participant who has left.
func TestSessionBesideIdentity(t *testing.T) {
	client, server := start(t)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	beside := server.Join("room", identity+"#screen").Participant.Sid
	wantSession(t, client, "")
	wantSessions(t, client, map[sfu.Identity]string{identity + "#screen": beside})
}

func TestSessionStates(t *testing.T) {
	for state, want := range map[livekit.ParticipantInfo_State]string{
		livekit.ParticipantInfo_JOINING:      "PA_1",
		livekit.ParticipantInfo_JOINED:       "PA_1",
		livekit.ParticipantInfo_ACTIVE:       "PA_1",
		livekit.ParticipantInfo_DISCONNECTED: "",
		99:                                   "PA_1",
	} {
		t.Run(fmt.Sprint(state), func(t *testing.T) {
			client, server := start(t)
			p := &livekit.ParticipantInfo{Sid: "PA_1", Identity: string(identity), State: state}
			server.FailNext(answer(p), answer(&livekit.ListParticipantsResponse{Participants: []*livekit.ParticipantInfo{p}}))
			wantSession(t, client, want)
			all := map[sfu.Identity]string{}
			if want != "" {
				all[identity] = want
			}
			wantSessions(t, client, all)
		})
	}
}

// TestSessionsNotFound checks that a missing room counts as an empty one if
// LiveKit runs with enable_psrpc_for_get_list_participants. LiveKit then
// answers with an error in place of an empty list.
func TestSessionsNotFound(t *testing.T) {
	client, server := start(t)
	server.FailAlways(sfutest.TwirpError("not_found", "requested room does not exist"))
	wantSession(t, client, "")
	wantSessions(t, client, map[sfu.Identity]string{})
}

// TestAbsenceIsNotGuessed checks that a participant counts as absent only if
// LiveKit itself reports the absence.
func TestAbsenceIsNotGuessed(t *testing.T) {
	for name, c := range map[string]struct {
		fault sfutest.Fault
		cause string
	}{
		"proxy's 404":   {sfutest.Status(404), sfu.CauseNotFound},
		"other API":     {sfutest.Answer(404, "application/json", `{"errcode":"M_NOT_FOUND","error":"not_found"}`), sfu.CauseNotFound},
		"bad route":     {sfutest.TwirpError("bad_route", "no handler"), sfu.CauseNotFound},
		"unavailable":   {sfutest.TwirpError("unavailable", "stream closed"), sfu.CauseStatus},
		"proxy's 503":   {sfutest.Answer(503, "text/plain", "no response from servers"), sfu.CauseStatus},
		"node is slow":  {sfutest.TwirpError("deadline_exceeded", "request timed out"), sfu.CauseStatus},
		"denied":        {sfutest.TwirpError("unauthenticated", "permissions denied"), sfu.CauseUnauthorized},
		"bad gateway":   {sfutest.Status(502), sfu.CauseStatus},
		"page":          {sfutest.Answer(200, "text/html", "<html>"), sfu.CauseNotTwirp},
		"garbage":       {sfutest.Garbage(), sfu.CauseNotTwirp},
		"dropped":       {sfutest.Drop(), sfu.CauseConnect},
		"redirect":      {sfutest.Redirect("https://other.example.org/"), sfu.CauseRedirect},
		"half a header": {garbageHeader, sfu.CauseConnect},
	} {
		t.Run(name, func(t *testing.T) {
			for _, q := range questions() {
				client, server := start(t)
				server.FailAlways(c.fault)
				wantFailure(t, q.ask(t.Context(), client), q.op, c.cause)
			}
		})
	}
}

// TestParticipantsThatMakeNoSense checks answers with a malformed participant.
// They must give an error. The decoder finds no fault in them, because nearly
// every text is a valid protobuf message.
func TestParticipantsThatMakeNoSense(t *testing.T) {
	for name, p := range map[string]*livekit.ParticipantInfo{
		"empty":       {},
		"no sid":      {Identity: string(identity)},
		"no identity": {Sid: "PA_1"},
		"left":        {Identity: string(identity), State: livekit.ParticipantInfo_DISCONNECTED},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := start(t)
			good := &livekit.ParticipantInfo{Sid: "PA_2", Identity: "bob"}
			server.FailNext(answer(p), answer(&livekit.ListParticipantsResponse{Participants: []*livekit.ParticipantInfo{good, p}}))
			sid, err := client.Session(t.Context(), "room", identity)
			wantFailure(t, err, "GetParticipant", sfu.CauseNotTwirp)
			all, err := client.Sessions(t.Context(), "room")
			wantFailure(t, err, "ListParticipants", sfu.CauseNotTwirp)
			if sid != "" || all != nil {
				t.Errorf("%s: got %q, %v beside an error, want nothing", name, sid, all)
			}
		})
	}
	client, server := start(t)
	server.FailNext(answer(&livekit.ParticipantInfo{Sid: "PA_1", Identity: "bob"}))
	_, err := client.Session(t.Context(), "room", identity)
	wantFailure(t, err, "GetParticipant", sfu.CauseNotTwirp)
}

func TestLargeAnswers(t *testing.T) {
	client, server := start(t)
	var many livekit.ListParticipantsResponse
	for i := range 3000 {
		many.Participants = append(many.Participants, &livekit.ParticipantInfo{
			Sid: fmt.Sprint("PA_", i), Identity: fmt.Sprint(i), Metadata: strings.Repeat("m", 3000),
		})
	}
	server.FailNext(answer(&many), answer(&livekit.ParticipantInfo{
		Sid: "PA_1", Identity: string(identity),
		Metadata: strings.Repeat("m", 64_000), Attributes: map[string]string{"a": strings.Repeat("a", 64_000)},
	}))
	if all, err := client.Sessions(t.Context(), "room"); err != nil || len(all) != 3000 || all["2999"] != "PA_2999" {
		t.Errorf("Sessions = %d, %v, want 3000", len(all), err)
	}
	wantSession(t, client, "PA_1")

	server.FailNext(sfutest.Answer(200, "application/protobuf", strings.Repeat("x", 1<<20+1)))
	_, err := client.Session(t.Context(), "room", identity)
	wantFailure(t, err, "GetParticipant", sfu.CauseNotTwirp)
	server.FailNext(sfutest.Answer(200, "application/protobuf", strings.Repeat("x", 16<<20+1)))
	_, err = client.Sessions(t.Context(), "room")
	wantFailure(t, err, "ListParticipants", sfu.CauseNotTwirp)
}

func TestPing(t *testing.T) {
	client, server := start(t)
	if err := client.Ping(t.Context()); err != nil || server.Calls("ListRooms") != 1 {
		t.Errorf("Ping = %v after %d calls, want one", err, server.Calls("ListRooms"))
	}
	server.Close()
	wantFailure(t, client.Ping(t.Context()), "ListRooms", sfu.CauseConnect)
}

func BenchmarkSession(b *testing.B) {
	server := sfutest.NewServer(key)
	defer server.Close()
	http := sfu.NewHTTPClient(nil, nil)
	defer http.CloseIdleConnections()
	client := sfu.NewClient(server.APIURL(), sfu.Always(key), http)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Session(b.Context(), "room", identity); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRoomSince(t *testing.T) {
	fake := sfutest.NewServer(key)
	defer fake.Close()
	client := sfu.NewClient(fake.APIURL(), sfu.Always(key), sfu.NewHTTPClient(nil, nil))
	if since, err := client.RoomSince(t.Context(), "room"); err != nil || !since.IsZero() {
		t.Errorf("a room that is not there: got %v, %v, want no time", since, err)
	}
	before := time.Now().Add(-time.Second)
	if err := client.CreateRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	since, err := client.RoomSince(t.Context(), "room")
	if err != nil || since.Before(before) || since.After(time.Now()) {
		t.Errorf("RoomSince: got %v, %v, want %v or later", since, err, before)
	}
	fake.FailNext(sfutest.Status(500))
	if _, err := client.RoomSince(t.Context(), "room"); err == nil {
		t.Error("no answer is taken for no room: got no error, want one")
	}
}
