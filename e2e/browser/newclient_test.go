package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
)

// TestOldAndNewClients puts two kinds of client into one call. Alice has Element Call
// 0.26.1, which asks the service for tokens. Bob's client makes the requests of newer
// versions, which ask the homeserver. Each client must receive the other's media, and
// the service must send both leaves.
func TestOldAndNewClients(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) { s.Registered = true })
	eventually(t, s, starting, "the service is ready", func() (bool, string) {
		return strings.Contains(serviceLog(s), "application service: ready"), narrow(s.Services[0].Log().Tail(5))
	})
	alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")
	room := newRoom(t, false, alice, bob)
	alice.call(room, false)
	alice.isMember(bob, room, stack.Compatibility)

	newer := &newClient{Account: bob.Account, stack: s, t: t, room: room, member: "member-of-bob"}
	newer.join()
	newer.hears(fmt.Sprintf("%s:%s", alice.UserID, alice.DeviceID))
	alice.receives()
	if n := len(participants(t, s, room)); n != 2 {
		t.Errorf("%d people in the LiveKit room, want 2", n)
	}
	askedBy(t, s, "/sfu/get", alice.UserID)
	askedBy(t, s, clientPrefix+"/get_token", bob.UserID)
	askedBy(t, s, clientPrefix+"/delegate_delayed_leave", bob.UserID)

	newer.participant.Leave()
	bob.hasLeft(alice, room, stack.Compatibility, 30*time.Second)
	alice.closeTab()
	alice.hasLeft(bob, room, stack.Compatibility, 30*time.Second)
}

// receives waits until the person's tab has received more audio. The other client in
// the call sends only audio.
func (p *person) receives() {
	p.t.Helper()
	before, err := p.media()
	if err != nil {
		p.t.Fatal(err)
	}
	p.eventually(joining, p.name+" receives sound", func() (bool, string) {
		now, err := p.media()
		return seen(now.AudioReceived > before.AudioReceived, now, err)
	})
}

// askedBy checks in the service's log that the service answered a request of the user
// on the route with status 200.
func askedBy(t *testing.T, s *stack.Stack, route, user string) {
	t.Helper()
	line := regexp.MustCompile(`msg=request .*route=` + regexp.QuoteMeta(route) + ` status=200 .*user=` + regexp.QuoteMeta(user) + ` `)
	if !line.MatchString(serviceLog(s)) {
		t.Errorf("the service's log: got no request of %s on %s, want one:\n%s", user, route, narrow(s.Services[0].Log().Tail(30)))
	}
}

// clientPrefix is the beginning of the paths of requests that homeservers pass on to
// the service (MSC4195).
const clientPrefix = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit"

// newClient makes the requests of Element Call 0.28.1 and later, in the same order as
// these versions.
type newClient struct {
	*account.Account
	stack        *stack.Stack
	t            *testing.T
	room, member string
	participant  *participant.Participant
}

// join joins the call with the same steps as newer clients, in the same order. It finds
// the transport, schedules the leave and announces the membership. Then it gets a
// token, joins the SFU, publishes audio, and delegates the leave.
func (c *newClient) join() {
	c.t.Helper()
	sfu := c.transport()
	leave := c.scheduleLeave()
	c.call(http.MethodPut, c.memberPath(), c.membership(sfu), nil)
	where := map[string]string{"url": sfu, "room_id": c.room, "slot_id": "m.call#ROOM", "member_id": c.member}
	var token struct{ JWT string }
	c.call(http.MethodPost, clientPrefix+"/get_token", where, &token)
	var err error
	// This client joins at the SFU's own address, because the host names of the layout
	// work only in browsers.
	if c.participant, err = participant.Join(within(c.t, starting), c.stack.SFU.URL(), token.JWT); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.participant.Leave)
	if _, err := c.participant.PublishAudio(); err != nil {
		c.t.Fatal(err)
	}
	where["delay_id"] = leave
	var taken json.RawMessage
	c.call(http.MethodPost, clientPrefix+"/delegate_delayed_leave", where, &taken)
	if string(bytes.TrimSpace(taken)) != "{}" {
		c.t.Errorf("delegating the leave: got the answer %s, want {}", taken)
	}
}

// transport asks the homeserver for its features and for its transports. It returns the
// URL of the first LiveKit transport that has a URL. A transport with a URL tells
// clients to ask the homeserver for tokens.
func (c *newClient) transport() (sfu string) {
	c.t.Helper()
	var versions struct {
		Features map[string]bool `json:"unstable_features"`
	}
	c.call(http.MethodGet, "/_matrix/client/versions", nil, &versions)
	if !versions.Features["org.matrix.msc4143"] || !versions.Features["org.matrix.msc4140"] {
		c.t.Errorf("the homeserver lacks a feature: %v", versions.Features)
	}
	var answer struct {
		Transports []struct{ Type, URL string } `json:"rtc_transports"`
	}
	c.call(http.MethodGet, "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", nil, &answer)
	for _, transport := range answer.Transports {
		if transport.Type == "livekit" && transport.URL != "" {
			return transport.URL
		}
	}
	c.t.Fatalf("no transport with url: %+v", answer)
	return ""
}

// scheduleLeave schedules the leave an hour ahead, as clients do when they delegate
// their leave.
func (c *newClient) scheduleLeave() (id string) {
	c.t.Helper()
	var scheduled struct {
		DelayID string `json:"delay_id"`
	}
	c.call(http.MethodPut, c.memberPath()+"?org.matrix.msc4140.delay=3600000", struct{}{}, &scheduled)
	return scheduled.DelayID
}

func (c *newClient) memberPath() string {
	return fmt.Sprintf("/_matrix/client/v3/rooms/%s/state/%s/%s", url.PathEscape(c.room), account.CallMember,
		url.PathEscape("_"+c.UserID+"_"+c.DeviceID+"_m.call"))
}

// membership returns the content of the event that says that the client is in the call,
// on the given SFU.
func (c *newClient) membership(sfu string) map[string]any {
	transport := map[string]string{"type": "livekit", "url": sfu, "livekit_service_url": c.stack.Layout.Service, "livekit_alias": c.room}
	return map[string]any{
		"application": "m.call", "call_id": "", "scope": "m.room", "device_id": c.DeviceID, "expires": 14400000,
		"membershipID": c.member, "m.call.intent": "audio",
		"focus_active":   map[string]string{"type": "livekit", "focus_selection": "multi_sfu"},
		"foci_preferred": []any{transport},
	}
}

// hears waits until the client receives media of the participant with this identity.
func (c *newClient) hears(identity string) {
	c.t.Helper()
	ctx := within(c.t, joining)
	for {
		track, err := c.participant.Hear(ctx)
		if err != nil {
			c.t.Fatalf("%s does not hear %s: %v", c.UserID, identity, err)
		}
		if track.From == identity {
			return
		}
	}
}

func (c *newClient) call(method, path string, body, out any) {
	c.t.Helper()
	if err := c.Call(within(c.t, starting), method, path, body, out); err != nil {
		c.t.Fatal(err)
	}
}
