package appservice

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPushes checks that the homeserver delivers events to the service. The homeserver
// must continue to deliver after the service was stopped or slow. No answer of the
// service may end the deliveries for ever.
func TestPushes(t *testing.T) {
	t.Parallel() // the test waits most of the time
	w := newWorld(t)
	s := newSide(t, w, "first", true, map[string]string{"LIVEKIT_LOG_LEVEL": "debug"})
	alice := s.register(t, "alice")
	room := callRoom(t, alice)
	delivered := func() int {
		return strings.Count(s.service.Log().String(), "route=/_matrix/app/v1/transactions/{txnID} status=200")
	}
	say := func(what string) {
		must(t, alice.Call(within(t, time.Minute), http.MethodPut,
			"/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/send/m.room.message/"+what, map[string]string{"msgtype": "m.text", "body": what}, nil))
	}
	arrives := func(what string) {
		t.Helper()
		before := delivered()
		say(what)
		eventually(t, 30*time.Second, "a transaction after "+what, func() bool { return delivered() > before })
	}
	arrives("one")

	t.Run("restarted", func(t *testing.T) {
		must(t, s.service.Stop())
		say("while-away")
		must(t, s.service.Start(within(t, time.Minute)))
		// The new process begins with a self-test, which makes the homeserver deliver
		// immediately. Without the self-test, the homeserver would wait.
		eventually(t, 60*time.Second, "what was kept arrives", func() bool { return delivered() > 0 })
		arrives("two")
	})
	t.Run("slow", func(t *testing.T) {
		s.service.Freeze()
		say("while-frozen")
		time.Sleep(3 * time.Second)
		s.service.Thaw()
		arrives("three")
	})
	if strings.Contains(s.service.Log().String(), "route=/_matrix/app/v1/transactions/{txnID} status=5") {
		t.Error("the service's log: got a transaction with a status of 5xx, want none")
	}
}

// This method runs act, and waits until the service has asked the homeserver
// again about memberships in rooms.
func (p *pushed) asks(t *testing.T, what string, act func()) {
	t.Helper()
	asked := statusOf(t, p.first.service).Membership.Asked
	act()
	eventually(t, time.Minute, what, func() bool { return statusOf(t, p.first.service).Membership.Asked > asked })
}
