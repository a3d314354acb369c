package browser

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix"
)

// call is a call of two people who have delegated their leaves to the service.
type call struct {
	t     *testing.T
	stack *stack.Stack
	mode  stack.Mode
	clear bool // true if media is not encrypted
	room  string
	alice *person // the person who disappears
	bob   *person // the person who sees when Alice leaves
	leave string  // the delay_id of Alice's leave, hashed as in the logs
	alone func()  // called, if not nil, after Alice has joined and before Bob joins
}

// newCall makes two people join a call. It returns when they see and hear each other
// and have delegated their leaves.
func newCall(t *testing.T, s *stack.Stack, mode stack.Mode) *call {
	t.Helper()
	c := &call{t: t, stack: s, mode: mode, alice: newPerson(t, s, "alice"), bob: newPerson(t, s, "bob")}
	c.begin()
	return c
}

// begin makes Alice and Bob join a call. The guests are only in the Matrix room.
func (c *call) begin(guests ...*person) {
	c.t.Helper()
	if err := c.stack.SetMode(c.mode); err != nil {
		c.t.Fatal(err)
	}
	c.room = newRoom(c.t, !c.clear, append([]*person{c.alice, c.bob}, guests...)...)
	c.alice.call(c.room, !c.clear)
	if c.alone != nil {
		c.alone()
	}
	c.bob.call(c.room, !c.clear)
	c.alice.sees(2)
	c.bob.sees(2)
	c.alice.isMember(c.bob, c.room, c.mode)
	c.bob.isMember(c.alice, c.room, c.mode)
	c.bob.delegates("")
	c.leave = c.alice.delegates("")
}

// delegates waits until the service has seen the person in the call and has a leave of
// this person. The parameter is the hash of an earlier leave, which does not count.
// delegates returns the hash of the new leave's delay_id.
func (p *person) delegates(before string) (hash string) {
	p.t.Helper()
	line := regexp.MustCompile(`msg="leave: state changed" .* user=` + regexp.QuoteMeta(p.UserID) + ` delay_hash=(\S+) state=connected`)
	p.eventually(joining, p.name+"'s leave is kept alive", func() (bool, string) {
		for _, match := range line.FindAllStringSubmatch(serviceLog(p.stack), -1) {
			hash = match[1]
		}
		return hash != "" && hash != before, "the leave " + hash
	})
	return hash
}

// serviceLog returns the lines of all services' logs, sorted by time.
func serviceLog(s *stack.Stack) string {
	var lines []string
	for _, service := range s.Services {
		lines = append(lines, strings.Split(service.Log().String(), "\n")...)
	}
	slices.Sort(lines) // each line begins with its time
	return strings.Join(lines, "\n")
}

// isSent waits until Alice has left the call, and returns how long that took. The
// service must log that it sent her leave. The homeserver must log one request with
// status 200 for this leave. On a busy machine the service may repeat the request, and
// log the homeserver's answer that the leave was already sent.
func (c *call) isSent(limit time.Duration) time.Duration {
	c.t.Helper()
	took := c.alice.hasLeft(c.bob, c.room, c.mode, limit)
	ended := regexp.MustCompile(`msg="leave: job ended" .* delay_hash=` + regexp.QuoteMeta(c.leave) + ` .*why=(sent|"the homeserver had already sent )`)
	c.eventually(10*time.Second, "the service says that it has sent "+c.leave, func() (bool, string) {
		log := serviceLog(c.stack)
		return ended.MatchString(log), log[max(0, len(log)-2000):]
	})
	var n int // Synapse writes the log line after the answer, so the line may not be there yet
	c.eventually(10*time.Second, "the homeserver says that it has sent "+c.leave, func() (bool, string) {
		n = c.sends(c.leave)
		return n > 0, ""
	})
	if n != 1 {
		c.t.Errorf("the homeserver has sent %s %d times for the service, want once", c.leave, n)
	}
	c.t.Logf("left after %v", took.Round(10*time.Millisecond))
	return took
}

// sends returns how often the homeserver has sent the delayed event at the service's
// request. hash is the hash of the event's delay_id.
func (c *call) sends(hash string) (n int) {
	sent := regexp.MustCompile(` 200!? "POST \S+/delayed_events/(\S+)/send HTTP/1\.1" "matrixrtc-auth"`)
	for _, match := range sent.FindAllStringSubmatch(c.stack.Synapse.Log().String(), -1) {
		id, err := matrix.ParseDelayID(match[1])
		if err != nil {
			c.t.Fatal(err)
		}
		if id.Hash() == hash {
			n++
		}
	}
	return n
}

// emptied returns how often the person has left the call so far, by the events in the
// room.
func (c *call) emptied(p *person) (n int) {
	c.t.Helper()
	for _, event := range c.timeline() {
		if event.Type == memberEvent(c.mode) && event.Sender == p.UserID && !present(event.Content) {
			n++
		}
	}
	return n
}

// This method returns the homeserver's time of the newest event in the room, in
// milliseconds since 1970.
func (c *call) now() int64 {
	c.t.Helper()
	return c.timeline()[0].Time
}

func (c *call) timeline() []account.Event {
	c.t.Helper()
	events, err := c.bob.Timeline(within(c.t, starting), c.room, 200)
	if err != nil {
		c.t.Fatal(err)
	}
	return events
}

// staysSince checks the person's events after the time in the second parameter. Once
// an event says that the person is in the call, no later event may say that they left.
// No event at all is also right.
func (c *call) staysSince(p *person, before int64) {
	c.t.Helper()
	back := false
	events := c.timeline()
	slices.Reverse(events)
	for _, event := range events {
		if event.Time <= before || event.Type != memberEvent(c.mode) || event.Sender != p.UserID {
			continue
		}
		if back && !present(event.Content) {
			c.t.Errorf("%s left the call again after joining again, want no leave", p.name)
		}
		back = back || present(event.Content)
	}
}

// stays checks that Alice and Bob are in the call, and that they stay in it for the
// duration d.
func (c *call) stays(d time.Duration) {
	c.t.Helper()
	for _, p := range []*person{c.alice, c.bob} {
		p.isMember(c.bob, c.room, c.mode)
	}
	before := [2]int{c.emptied(c.alice), c.emptied(c.bob)}
	for began := time.Now(); time.Since(began) < d; <-time.After(pollEvery) {
		if now := [2]int{c.emptied(c.alice), c.emptied(c.bob)}; now != before {
			c.t.Fatalf("a person left the call after %v: got the numbers of leaves %v, want %v", time.Since(began), now, before)
		}
	}
}

// TestLeave checks that a user leaves the call soon after closing the tab, or after
// their browser is killed. The client has scheduled the leave for an hour later.
func TestLeave(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), lent)
	for _, mode := range []stack.Mode{stack.Compatibility, stack.Matrix2} {
		subtest(t, s, fmt.Sprintf("tab closed in %s", mode), func(t *testing.T) {
			c := newCall(t, s, mode)
			c.alice.closeTab()
			c.isSent(2 * time.Second)
		})
		subtest(t, s, fmt.Sprintf("browser killed in %s", mode), func(t *testing.T) {
			c := newCall(t, s, mode)
			c.alice.chromium.Kill()
			c.isSent(30 * time.Second)
		})
	}
	subtest(t, s, "reload", func(t *testing.T) { reload(newCall(t, s, stack.Compatibility)) })
	subtest(t, s, "takeover", func(t *testing.T) { takeover(t, s) })
	subtest(t, s, "control", func(t *testing.T) { control(newCall(t, s, stack.Compatibility)) })
}

// control checks that nobody leaves the call while the service is stopped. This shows
// that the leaves come from the service.
func control(c *call) {
	service := c.stack.Services[0]
	if err := service.Stop(); err != nil {
		c.t.Fatal(err)
	}
	c.alice.closeTab()
	c.stays(10 * time.Second)
	if err := service.Start(within(c.t, starting)); err != nil {
		c.t.Fatal(err)
	}
	c.isSent(30 * time.Second)
}

// reload makes Alice load the page again, which looks like a closed tab to the SFU. The
// service may send the leave of the old page, but only before the new page joins.
func reload(c *call) {
	old, before := c.leave, c.now()
	c.alice.reload()
	c.leave = c.alice.delegates(old)
	c.alice.sees(2)
	c.bob.sees(2)
	if n := c.emptied(c.alice); n > 1 {
		c.t.Errorf("loading the page again once led to %d leaves, want one at most", n)
	}
	c.staysSince(c.alice, before)
	sent := c.sends(old)
	c.stays(2 * time.Minute)
	if c.sends(old) != sent {
		c.t.Errorf("the old page's leave %s was sent after the new page had joined", old)
	}
	c.alice.closeTab()
	c.isSent(2 * time.Second)
}

// takeover kills Alice's browser. A new browser with the same user and device joins
// before the SFU notices. The service must send no leave. The call is not encrypted,
// because Bob's client sees nobody join, and so gives the new browser no media key.
func takeover(t *testing.T, s *stack.Stack) {
	c := &call{t: t, stack: s, mode: stack.Compatibility, clear: true, alice: newPerson(t, s, "alice"), bob: newPerson(t, s, "bob")}
	c.begin()
	old := c.leave
	again := c.alice.elsewhere()
	again.startBrowser() // the new browser starts before the kill, so that it joins before the SFU notices the kill
	killed := time.Now()
	c.alice.chromium.Kill()
	c.alice = again
	c.alice.call(c.room, false)
	c.leave = c.alice.delegates(old)
	c.t.Logf("taken over %v after the kill", time.Since(killed).Round(10*time.Millisecond))
	c.alice.sees(2)
	duplicate := regexp.MustCompile(`(?m)^.*` + regexp.QuoteMeta(c.alice.UserID) + `.*DUPLICATE_IDENTITY|^.*DUPLICATE_IDENTITY.*` + regexp.QuoteMeta(c.alice.UserID))
	if !duplicate.MatchString(c.stack.SFU.Log().String()) {
		c.t.Fatal("the SFU noticed the killed browser before the new one joined, so this run proves nothing")
	}
	if n := c.emptied(c.alice); n != 0 {
		c.t.Errorf("got %d leaves after the takeover, want none", n)
	}
	c.stays(25 * time.Second) // longer than the SFU takes to notice a lost participant
	c.alice.closeTab()
	c.isSent(2 * time.Second)
}
