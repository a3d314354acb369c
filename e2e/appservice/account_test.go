package appservice

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix"
)

// TestAccount checks a service that the homeserver does not know as an application
// service. The service uses an ordinary account to learn who is joined, and a sweep
// removes a banned user. For rooms that the account is not in, the variable
// LIVEKIT_MEMBERSHIP_UNKNOWN decides whether users get a token.
func TestAccount(t *testing.T) {
	t.Parallel() // the test waits most of the time
	w := newWorld(t)
	s := newUnregistered(t, w)
	bot, alice, bob := s.register(t, "bot"), s.register(t, "alice"), s.register(t, "bob")
	file, err := w.WriteFile("account-token", []byte(bot.AccessToken+"\n"))
	must(t, err)
	s.service.Env["LIVEKIT_MEMBERSHIP_TOKEN_FILE"] = file
	start(t, "service", s.service)

	known, unknown := callRoom(t, alice, bot, bob), callRoom(t, alice, bob)
	for _, a := range []*account.Account{bot, bob} {
		must(t, a.Join(within(t, time.Minute), known, s.name.String()))
	}
	wants(t, "a stranger", s.openID(t, s.register(t, "stranger"), known), http.StatusForbidden, "M_FORBIDDEN")
	stays, m := s.enterByOpenID(t, alice, known), s.enterByOpenID(t, bob, known)

	act(t, alice, known, "ban", bob)
	event := membershipOf(t, alice, known, bob.UserID)
	took := isOut(t, m.session, sweepLimit).Sub(time.UnixMilli(event.Time))
	t.Logf("ban: off the SFU %v after the event", took.Round(time.Millisecond))
	session, err := participant.Join(within(t, time.Minute), s.sfu.URL(), m.token)
	if err == nil { // if the join failed, the service has already removed the user
		isOut(t, session, time.Minute)
	}
	eventually(t, time.Minute, "the service logs two removals", func() bool { return len(removals(t, bob.UserID, s.service)) > 1 })
	for _, one := range removals(t, bob.UserID, s.service)[1:] {
		t.Logf("the old token: on the SFU for %v", one.stayed)
		if one.stayed > joinLimit {
			t.Errorf("removal: got %+v, want it after %v at most", one, joinLimit)
		}
	}
	areIn(t, "who is joined", stays)

	wants(t, "deny: a room that the account is not in", s.openID(t, alice, unknown), http.StatusForbidden, "M_FORBIDDEN")
	must(t, s.service.Stop())
	s.service.Env["LIVEKIT_MEMBERSHIP_UNKNOWN"] = "allow"
	must(t, s.service.Start(within(t, time.Minute)))
	let := s.enterByOpenID(t, alice, unknown)
	sweeps(t, s.service, 2)
	areIn(t, "allow: two sweeps", stays, let)
}

// newUnregistered returns a homeserver without an application service, an SFU, and a
// service that does not run yet.
func newUnregistered(t *testing.T, w *world) *side {
	t.Helper()
	address, err := w.Address()
	must(t, err)
	server, err := matrix.ParseServerName(address)
	must(t, err)
	s := &side{
		homeserver: &homeserver{name: server, Synapse: &stack.Synapse{
			Host: w.Host, Python: python, ServerName: address, Additions: []string{quickly, unlimited},
		}},
		service: &stack.Service{Host: w.Host, Program: programs.Service},
		sfu: &stack.SFU{Host: w.Host, Program: programs.SFU, Keys: []stack.Key{sfuKey},
			OneMediaPort: true, Config: filepath.Join(repository, "livekit.yaml.example")},
	}
	_, err = s.service.Address()
	must(t, err)
	s.sfu.Webhook = s.service.URL() + "/sfu_webhook"
	start(t, "sfu", s.sfu)
	start(t, "synapse", s.homeserver)
	s.service.Env = map[string]string{
		"LIVEKIT_URL": s.sfu.URL(), "LIVEKIT_KEY": sfuKey.ID, "LIVEKIT_SECRET": sfuKey.Secret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": address, "LIVEKIT_STORE": "memory",
		"LIVEKIT_HS_SERVER_NAME":                    address,
		"LIVEKIT_REQUIRE_MEMBERSHIP":                "on",
		"LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": shortInterval,
		"LIVEKIT_RATE_LIMIT":                        "6000/min,burst=1000",
		"LIVEKIT_FEDERATION_URL_OVERRIDES":          address + "=" + s.URL(),
		"LIVEKIT_CS_API_URL_OVERRIDES":              address + "=" + s.URL(),
	}
	return s
}
