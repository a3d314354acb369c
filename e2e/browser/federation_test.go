package browser

import (
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/e2e/stack"
)

// TestFederation makes calls between users of two homeservers. The users are in the
// same Matrix room.
func TestFederation(t *testing.T) {
	first := newStack(t, stack.SubDomains(stack.Domain), federated(nil))
	subtest(t, first, "guest", func(t *testing.T) {
		layout := stack.SubDomains("guest.test")
		layout.Service = first.Layout.Service
		second := newStack(t, layout, federated(first))
		guest(t, first, second)
	})
	subtest(t, first, "each its own", func(t *testing.T) {
		eachItsOwn(t, first, newStack(t, stack.SubDomains("other.test"), federated(first)))
	})
}

// federated returns a function that lets the homeserver of a stack federate with other
// homeservers. If first is not nil, the stack uses the certificate authority of first,
// so that the two homeservers trust each other.
func federated(first *stack.Stack) func(*stack.Stack) {
	return func(s *stack.Stack) {
		s.Federated = true
		if first != nil {
			s.CA = first.CA
		}
	}
}

// neighbours creates Alice on the first homeserver and Bob on the second. Their
// browsers know the host names of both deployments.
func neighbours(t *testing.T, first, second *stack.Stack) (alice, bob *person) {
	t.Helper()
	alice, bob = newPerson(t, first, "alice"), newPerson(t, second, "bob")
	hosts := first.Hosts()
	maps.Copy(hosts, second.Hosts())
	alice.hosts, bob.hosts = hosts, hosts
	return alice, bob
}

// guest tests a second homeserver that announces the service of the first. Bob is a
// user of the second homeserver. He may not start calls, and must see an error if he
// tries. He may join calls.
func guest(t *testing.T, first, second *stack.Stack) {
	alice, bob := neighbours(t, first, second)
	bob.call(newRoom(t, false, alice, bob), false)
	bob.reads(documented(t, notListed).call)
	why := regexp.MustCompile(`level=INFO msg=request .*status=200 .*user=` + regexp.QuoteMeta(bob.UserID) +
		` .*note="no room was created: \S+ is not in LIVEKIT_FULL_ACCESS_HOMESERVERS"`)
	bob.eventually(10*time.Second, "the service says that no room was created, and why", func() (bool, string) {
		return why.MatchString(serviceLog(first)), narrow(first.Services[0].Log().Tail(20))
	})
	bob.closeTab()

	room := newRoom(t, true, alice, bob)
	inCall(alice, bob, room)
}

// inCall makes Alice start a call, and Bob join the same call.
func inCall(alice, bob *person, room string) {
	alice.t.Helper()
	alice.call(room, true)
	alice.isMember(bob, room, stack.Compatibility)
	bob.call(room, true)
	alice.sees(2)
	bob.sees(2)
	bob.isMember(alice, room, stack.Compatibility)
}

// eachItsOwn checks that each person publishes to the SFU of their own homeserver, and
// also joins the other SFU.
func eachItsOwn(t *testing.T, first, second *stack.Stack) {
	alice, bob := neighbours(t, first, second)
	room := newRoom(t, true, alice, bob)
	inCall(alice, bob, room)
	publishesAlone(t, first, room, alice)
	publishesAlone(t, second, room, bob)
}

// publishesAlone checks that both people are on the SFU, and that only the given person
// publishes media there.
func publishesAlone(t *testing.T, s *stack.Stack, room string, publisher *person) {
	t.Helper()
	there := participants(t, s, room)
	if len(there) != 2 {
		t.Errorf("the SFU of %s: got %d people, want 2", s.Layout.ServerName, len(there))
	}
	for _, participant := range there {
		is := strings.HasPrefix(participant.GetIdentity(), publisher.UserID)
		if publishes(participant) != is {
			t.Errorf("%s on the SFU of %s: got %d tracks, want some: %v", participant.GetIdentity(), s.Layout.ServerName, len(participant.GetTracks()), is)
		}
	}
}

func publishes(p *livekit.ParticipantInfo) bool { return len(p.GetTracks()) > 0 }
