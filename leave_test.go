package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/rogpeppe/go-internal/testscript"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
	"matrixrtc-auth/token"
)

// The script command `delayed VAR schedules ID DELAY` makes the homeserver VAR
// schedule a delayed event. `delayed VAR is ID FATE` waits until the event has
// that fate. FATE is "sent" after a request to send the event, "fired" after the
// event's delay, "cancelled", or "restarted".
//
// `delayed VAR refuses` makes the homeserver demand an access token. `delayed
// VAR forbids` makes it refuse to send an event if the owner of the event has
// left the room. `delayed VAR limits` makes it answer 429 once.
func cmdDelayed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: delayed VAR schedules ID DELAY | is ID FATE | refuses | forbids | limits")
	}
	h := labOf(ts).homeservers[ts.Getenv(args[0])]
	switch {
	case args[1] == "schedules" && len(args) == 4:
		delay, err := time.ParseDuration(args[3])
		ts.Check(err)
		h.Schedule(args[2], delay)
	case args[1] == "is" && len(args) == 4:
		awaitFate(ts, h, args[2], args[3])
	case args[1] == "refuses":
		h.ScriptDelayed(needToken)
	case args[1] == "forbids":
		h.ScriptDelayed(mayNotSend)
	case args[1] == "limits":
		var once sync.Once
		h.ScriptDelayed(func(w http.ResponseWriter, _ *http.Request, _, _ string) (limited bool) {
			once.Do(func() {
				w.WriteHeader(http.StatusTooManyRequests)
				limited = true
			})
			return limited
		})
	default:
		ts.Fatalf("delayed: %q is not known", args[1:])
	}
}

func awaitFate(ts *testscript.TestScript, h *matrixtest.Server, id, want string) {
	deadline := time.After(waitTime)
	for look := time.Tick(5 * time.Millisecond); ; {
		fate := h.Fate(id)
		got := fate.Over
		if got == "" && fate.Restarts > 0 {
			got = "restarted"
		}
		if got == want {
			return
		}
		select {
		case <-look:
		case <-deadline:
			ts.Fatalf("%s is %+v, want %s:\n%s", id, fate, want, labOf(ts).service.text())
		}
	}
}

// The script command `participant joins|vanishes|leaves ROOM USER DEVICE` makes
// a client join or leave the SFU. The client has a token from /sfu/get. The SFU
// sends a webhook if the client joins or leaves. It sends no webhook if the
// client vanishes.
func cmdParticipant(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: participant joins|vanishes|leaves ROOM USER DEVICE")
	}
	room, identity, err := participantOf(args[1], args[2], args[3])
	ts.Check(err)
	l := labOf(ts)
	var event *livekit.WebhookEvent
	switch args[0] {
	case "joins":
		event = l.sfu.Join(room, identity)
	case "leaves":
		event = l.sfu.Leave(room, identity, livekit.DisconnectReason_CLIENT_INITIATED)
	case "vanishes":
		l.sfu.Vanish(room, identity)
		return
	}
	tell(ts, event)
}

// The script command `connect [SUFFIX]` makes a client join the SFU, with the
// token that `jwt` has read. The SFU sends a webhook about the join. With
// SUFFIX, the client is a second session with the same token.
func cmdConnect(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: connect [SUFFIX]")
	}
	event := labOf(ts).sfu.Connect(ts.Getenv("JWT"), strings.Join(args, ""))
	if event == nil {
		ts.Fatalf("the SFU does not let the bearer in")
	}
	tell(ts, event)
}

func participantOf(room, user, device string) (sfu.Room, sfu.Identity, error) {
	roomID, err1 := matrix.ParseRoomID(room)
	userID, err2 := matrix.ParseUserID(user)
	deviceID, err3 := token.ParseLegacyDevice(device)
	identity, err4 := token.LegacyIdentity(userID, deviceID)
	return token.RoomName(roomID, matrix.RoomCall), identity, errors.Join(err1, err2, err3, err4)
}

// tell sends a webhook to the service and prints the status of its answer.
func tell(ts *testscript.TestScript, event *livekit.WebhookEvent, flaws ...sfutest.Flaw) {
	l := labOf(ts)
	status, err := l.sfu.SendWebhook("http://"+l.service.address+"/sfu_webhook", event, flaws...)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), "webhook", status)
}

// The script command `webhook unsigned|forged` sends a webhook to the service.
// The webhook claims to be from LiveKit, but has no signature or a wrong one.
func cmdWebhook(ts *testscript.TestScript, neg bool, args []string) {
	flaws := map[string]sfutest.Flaw{"unsigned": sfutest.NoHeader(), "forged": sfutest.WrongSecret()}
	if neg || len(args) != 1 || flaws[args[0]] == nil {
		ts.Fatalf("usage: webhook unsigned|forged")
	}
	tell(ts, &livekit.WebhookEvent{Event: "participant_left"}, flaws[args[0]])
}

// The script command `statustoken VAR` sets VAR to a token. With such a token,
// an operator's tools may read /_status.
func cmdStatusToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: statustoken VAR")
	}
	ts.Setenv(args[0], sfutest.StatusToken(scriptKey, "matrixrtc-auth-status", time.Minute))
}

// needToken answers as a homeserver that demands an access token.
func needToken(w http.ResponseWriter, _ *http.Request, _, _ string) bool {
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, `{"errcode":"M_MISSING_TOKEN","error":"Missing access token"}`)
	return true
}

// mayNotSend answers as a homeserver does if the owner of the delayed event is
// not in the Matrix room.
func mayNotSend(w http.ResponseWriter, _ *http.Request, action, _ string) bool {
	if action != "send" {
		return false
	}
	w.WriteHeader(http.StatusForbidden)
	io.WriteString(w, `{"errcode":"M_FORBIDDEN","error":"User not in room"}`)
	return true
}
