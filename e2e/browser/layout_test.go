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

// One host name with path prefixes, and a service URL that ends in a slash.
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

// idle is longer than every time-out of DSM's reverse proxy.
const idle = 150 * time.Second

// A call works behind DSM's reverse proxy, and lasts longer than the proxy's
// time-outs. At its end each client still has its first connection to the SFU.
func TestDSM(t *testing.T) {
	s := newStack(t, dsm(t, true), lent)
	subtest(t, s, "curl", func(t *testing.T) { curlJourney(t, s) })
	alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")
	room := newRoom(t, true, alice, bob)
	alice.call(room, true)
	bob.call(room, true)
	alice.sees(2)
	bob.sees(2)
	// A client that learns the call's identities late joins twice at the start.
	// From here on, no client joins again.
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

// sessions returns how many sessions of a participant have sent media to the
// SFU.
func sessions(s *stack.Stack) int {
	return strings.Count(s.SFU.Log().String(), "participant active")
}

// Without the custom headers the client gets a token, but no WebSocket. The
// call ends with the error that docs/synology.md quotes.
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

// DSM answers with its own error page, without CORS headers, in place of the
// service.
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

// reads waits until the call shows the text to the person.
func (p *person) reads(text string) {
	p.t.Helper()
	p.eventually(joining, fmt.Sprintf("%s reads %q", p.name, text), func() (bool, string) {
		said, err := ask[string](p, "call.text()")
		return seen(strings.Contains(said, text), said, err)
	})
}

// fromDocs returns the part of the docs that the expression's parentheses
// match.
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
