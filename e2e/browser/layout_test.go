package browser

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// TestPrefixes tests a deployment with one host name. Path prefixes lead to the
// programs, and the URL of the service ends in a slash.
func TestPrefixes(t *testing.T) {
	s := newStack(t, stack.Prefixes(), nil)
	subtest(t, s, "well-known file", func(t *testing.T) { isWellKnown(t, s) })
	bothModes(t, s)
}

func dsm(t *testing.T, webSocket bool) stack.Layout {
	t.Helper()
	config, err := os.ReadFile("../testdata/dsm-proxy.conf")
	if err != nil {
		t.Fatal(err)
	}
	return stack.DSM(string(config), webSocket)
}

// idle is longer than all time-outs of DSM's reverse proxy.
const idle = 150 * time.Second

// TestDSM checks that a call works behind the reverse proxy of DSM, and lasts longer
// than the proxy's time-outs. At the end each client must still have its first
// connection to the SFU.
func TestDSM(t *testing.T) {
	s := newStack(t, dsm(t, true), lent)
	subtest(t, s, "curl", func(t *testing.T) { curlJourney(t, s) })
	alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")
	room := newRoom(t, true, alice, bob)
	alice.call(room, true)
	bob.call(room, true)
	alice.sees(2)
	bob.sees(2)
	// At the start of a call, a client can join the SFU twice. From here on, no client
	// may join again. So the number of sessions must still be the same at the end.
	joined := sessions(s)
	if joined < 2 {
		t.Fatalf("got %d sessions on the SFU, want one of each at least", joined)
	}
	for began := time.Now(); time.Since(began) < idle; {
		alice.mediaGrows()
		bob.mediaGrows()
	}
	if n := sessions(s); n != joined {
		t.Errorf("got %d sessions on the SFU, want the %d of the beginning", n, joined)
	}
	if strings.Contains(s.SFU.Log().String(), "resuming RTC session") {
		t.Error("the log of the SFU: got a resumed session, want no connection cut")
	}
	alice.isMember(bob, room, stack.Compatibility)
	bob.isMember(alice, room, stack.Compatibility)
}

// sessions returns the number of sessions on the SFU that became able to transfer
// media.
func sessions(s *stack.Stack) int {
	return strings.Count(s.SFU.Log().String(), "participant active")
}

// TestDSMWithoutWebSocket tests DSM's reverse proxy without the headers for WebSockets.
// The client gets a token, but no WebSocket. The call must end with the error that
// docs/synology.md quotes.
func TestDSMWithoutWebSocket(t *testing.T) {
	s := newStack(t, dsm(t, false), lent)
	subtest(t, s, "curl", func(t *testing.T) { curlJourney(t, s) })
	alice := newPerson(t, s, "alice")
	alice.call(newRoom(t, true, alice), true)
	alice.reads(fromDocs(t, `Without the WebSocket header, Element Call says “([^”]+)”`))
	alice.reads(fromDocs(t, "Without the WebSocket header, Element Call says .*\\(reason `([^`]+)`\\)"))
	alice.closeTab()
	subtest(t, s, "service down", func(t *testing.T) { dsmServiceDown(t, s) })
}

// dsmServiceDown stops the service. DSM's reverse proxy must then answer with its own
// error page, which has no CORS headers.
func dsmServiceDown(t *testing.T, s *stack.Stack) {
	row := documented(t, "The service does not run, behind DSM's reverse proxy")
	stop(t, s.Services[0])
	defer start(t, s.Services[0])
	answer := strings.ToLower(shell(t, s, "curl -i -X POST -d '{}' -H 'Origin: https://call.example.org' "+s.Layout.Service+"/sfu/get"))
	status, _, _ := strings.Cut(row.answer, " ")
	if !strings.HasPrefix(answer, "http/1.1 "+status) || !strings.Contains(answer, "text/html") || strings.Contains(answer, "access-control") {
		t.Errorf("curl: got\n%s\nwant %q, as the docs say", answer, row.answer)
	}
	alice := newPerson(t, s, "alice")
	alice.call(newRoom(t, false, alice), false)
	alice.reads(row.call)
}

// reads waits until the page of the call shows the text.
func (p *person) reads(text string) {
	p.t.Helper()
	p.eventually(joining, fmt.Sprintf("%s reads %q", p.name, text), func() (bool, string) {
		said, err := ask[string](p, "call.text()")
		return seen(strings.Contains(said, text), said, err)
	})
}

// fromDocs searches the docs for the expression, and returns the text that the group in
// parentheses matches.
func fromDocs(t *testing.T, expression string) string {
	t.Helper()
	docs, err := stack.OpenDocs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(expression).FindStringSubmatch(string(docs))
	if match == nil {
		t.Fatalf("the pages: got nothing like %s, want it", expression)
	}
	return match[1]
}
