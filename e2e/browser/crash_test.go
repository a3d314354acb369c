package browser

import (
	"regexp"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// TestCrash lets a program die during a call and start again. The service must not send
// the leave of a person who is still in the call. When a person closes the tab
// afterwards, the service must send their leave.
func TestCrash(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), nil)
	for _, fault := range []struct {
		what  string
		limit time.Duration // the time limit for the leave after the tab was closed
		crash func(*call)
	}{
		{"service killed", 5 * time.Second, func(c *call) {
			s.Services[0].Kill()
			c.restarts(s.Services[0])
		}},
		{"Synapse restarted", 10 * time.Second, func(c *call) {
			c.stops(s.Synapse)
			c.restarts(s.Synapse)
		}},
		{"SFU killed", 10 * time.Second, func(c *call) {
			s.SFU.Kill()
			c.comesBack()
		}},
		{"SFU stopped by Docker", 10 * time.Second, func(c *call) {
			s.SFU.StopLikeDocker()
			c.comesBack()
		}},
	} {
		subtest(t, s, fault.what, func(t *testing.T) {
			c := newCall(t, s, stack.Compatibility)
			fault.crash(c)
			c.alice.sees(2)
			c.bob.sees(2)
			c.stays(20 * time.Second) // longer than a participant may take to come back
			if n := c.emptied(c.alice) + c.emptied(c.bob); n != 0 {
				t.Fatalf("got %d leaves, want 0: nobody left", n)
			}
			c.alice.closeTab()
			c.isSent(fault.limit)
		})
	}
}

// isRecreated waits until the service logs that it has created the room again.
// It fails the test if a client got a token before that, because the request
// for the token could have created the room. The parameter is the number of
// bytes to skip at the start of the log.
func (c *call) isRecreated(since int) {
	c.t.Helper()
	created := regexp.MustCompile(`msg="leave: room created again" room=` + regexp.QuoteMeta(livekitRoom(c.room)))
	var before string
	c.eventually(joining, "the service has created the room again", func() (bool, string) {
		log := serviceLog(c.stack)[since:]
		at := created.FindStringIndex(log)
		if at != nil {
			before = log[:at[0]]
		}
		return at != nil, "its log since then:\n" + narrow(log)
	})
	if token := tokenGiven.FindString(before); token != "" {
		c.t.Errorf("a client requested a token before the service created the room by itself, so this run proves nothing:\n%s", token)
	}
}

// tokenGiven matches the service's log line about a request that got a token.
var tokenGiven = regexp.MustCompile(`.*msg=request method=POST route=(?:/|/sfu/get|/get_token) status=200 .*`)

// TestSFUStopped ends the SFU with SIGTERM, sent twice. LiveKit waits for its
// participants after the first signal, and disconnects them after the second one. Then
// the SFU starts again. Element Call does not reconnect by itself, so its users load the
// page again. Before that, the service must have created the room again, and must have
// sent no leave.
func TestSFUStopped(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), lent)
	// Media is not encrypted in this test. If a client loads its page again without leaving
	// the call, the other clients give it no keys.
	c := &call{t: t, stack: s, mode: stack.Compatibility, clear: true, alice: newPerson(t, s, "alice"), bob: newPerson(t, s, "bob")}
	c.begin()
	c.stops(s.SFU)
	since := len(serviceLog(s))
	c.restarts(s.SFU)
	c.isRecreated(since)
	olds := []string{c.leave, c.bob.delegates("")}
	c.alice.reads("Reconnecting…")
	if n := c.emptied(c.alice) + c.emptied(c.bob); n != 0 {
		t.Fatalf("got %d leaves before anybody left the page, want 0", n)
	}
	before := c.now()
	c.alice.reload()
	c.bob.reload()
	c.alice.sees(2)
	c.bob.sees(2)
	c.leave = c.alice.delegates(olds[0])
	c.bob.delegates(olds[1])
	for _, p := range []*person{c.alice, c.bob} {
		if n := c.emptied(p); n > 1 {
			t.Errorf("%s: got %d leaves by one reload, want at most 1", p.name, n)
		}
		c.staysSince(p, before)
	}
	c.stays(20 * time.Second)
	c.alice.closeTab()
	c.isSent(10 * time.Second)
}

func (c *call) stops(part stack.Part) {
	c.t.Helper()
	if err := part.Stop(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *call) restarts(part stack.Part) {
	c.t.Helper()
	if err := part.Start(within(c.t, starting)); err != nil {
		c.t.Fatal(err)
	}
}

// away is how long the SFU is stopped. A real SFU could take this long to start.
const away = 3 * time.Second

// comesBack starts the SFU, which has forgotten its rooms. Clients cannot create rooms
// on this SFU. The service must create the room again, and the clients must come back.
func (c *call) comesBack() {
	c.t.Helper()
	<-time.After(away)
	since := len(serviceLog(c.stack))
	c.restarts(c.stack.SFU)
	c.isRecreated(since)
	c.eventually(joining, "both are in the room again", func() (bool, string) {
		there := participants(c.t, c.stack, c.room)
		return seen(len(there) == 2, there, nil)
	})
}
