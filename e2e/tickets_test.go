package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// ourKey is the API key in the type that the service uses.
var ourKey = sfu.Key{ID: key.ID, Secret: secret.New(key.Secret)}

// ticketBytes is the size of the longest ticket with its name, as LiveKit counts it.
const ticketBytes = len(sfu.TicketAttribute) + ticket.MaxBytes

// attributes starts an SFU with the given limit.max_attributes_size. 0 leaves the
// setting as it is.
func attributes(t testing.TB, limit int) *stack.SFU {
	t.Helper()
	host := stack.NewHost(t.TempDir())
	t.Cleanup(host.Close)
	server := &stack.SFU{Host: host, Program: programs.SFU, Config: example, Keys: []stack.Key{key}, OneMediaPort: true, MaxAttributesSize: limit}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	return server
}

// TestTicketsTooLarge checks what LiveKit does with tickets and
// limit.max_attributes_size. If the limit is too small for a ticket, LiveKit refuses
// the bearer, and does not only drop the ticket. With the limit for which doctor asks,
// LiveKit admits the bearer of the longest ticket.
func TestTicketsTooLarge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit, attribute int
		joins            bool
	}{
		{ticketBytes, ticket.MaxBytes, true},
		{ticketBytes - 1, ticket.MaxBytes, false},
		{100, 200, false},
		{0, ticket.MaxBytes, true},
	} {
		t.Run(fmt.Sprintf("%d bytes with a limit of %d", tt.attribute, tt.limit), func(t *testing.T) {
			t.Parallel()
			server := attributes(t, tt.limit)
			createRoom(t, server, "room")
			text := token.NewMinter(ourKey, time.Hour).Mint(token.Grant{
				Room: "room", Identity: "alice", CanPublish: true, Ticket: strings.Repeat("t", tt.attribute),
			}, time.Now())
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			p, err := participant.Join(ctx, server.URL(), text)
			if err == nil {
				defer p.Leave()
			}
			t.Logf("joining: %v", err)
			if (err == nil) != tt.joins {
				t.Errorf("joining: %v, want success: %v", err, tt.joins)
			}
		})
	}
}

func createRoom(t testing.TB, server *stack.SFU, name string) *sfu.Client {
	t.Helper()
	api, err := url.Parse(server.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	client := sfu.NewClient(api, func() []sfu.Key { return []sfu.Key{ourKey} }, http.DefaultClient)
	if err := client.CreateRoom(t.Context(), sfu.Room(name)); err != nil {
		t.Fatal(err)
	}
	return client
}

// grantOf returns the grant and the ticket of participant n. The ids in them have a
// usual length.
func grantOf(t testing.TB, room sfu.Room, n int) (token.Grant, ticket.Ticket) {
	t.Helper()
	user, err := matrix.ParseUserID(fmt.Sprintf("@somebody-%03d:matrix.example.org", n))
	if err != nil {
		t.Fatal(err)
	}
	matrixRoom, err := matrix.ParseRoomID("!AbCdEfGhIjKlMnOpQr:matrix.example.org")
	if err != nil {
		t.Fatal(err)
	}
	device, err := matrix.ParseDeviceID("ABCDEFGHIJ")
	if err != nil {
		t.Fatal(err)
	}
	identity, err := token.LegacyIdentity(user, device)
	if err != nil {
		t.Fatal(err)
	}
	return token.Grant{Room: room, Identity: identity, CanPublish: true},
		ticket.Ticket{Issuer: ticket.IssuerOf(user.Server()), Room: matrixRoom, User: user, By: ticket.Proxied, Joined: true, Issued: time.Now()}
}

// TestTicketOfASecondSession checks tickets of several sessions with the same token.
// The client chooses a suffix for the identity of a further session. LiveKit lists that
// session with the ticket, and the service must be able to open the ticket.
func TestTicketOfASecondSession(t *testing.T) {
	t.Parallel()
	server := attributes(t, 0)
	client := createRoom(t, server, "room")
	minter := ticket.NewMinter([]sfu.Key{ourKey}, time.Hour)
	grant, content := grantOf(t, "room", 1)
	text := minter.Mint(grant, content, time.Now())
	for _, suffix := range []string{"screen", "a#b", "#"} {
		p, err := participant.Join(within(t, 20*time.Second), publishing(t, server, suffix), text)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Leave)
	}
	all, err := client.Participants(t.Context(), "room")
	if err != nil || len(all) != 3 {
		t.Fatalf("LiveKit lists %+v, %v, want three sessions", all, err)
	}
	for _, p := range all {
		got, owner, err := minter.Open(p.Ticket, ticket.Place{Room: "room", Identity: p.Identity})
		if err != nil || got.User != content.User || owner.Identity != grant.Identity {
			t.Errorf("%q: the ticket is %s's of %q, %v; want %s's of %q", p.Identity, got.User, owner.Identity, err, content.User, grant.Identity)
		}
	}
}

// publishing starts a proxy for the SFU, and returns the proxy's URL. A participant
// who joins through the proxy gets a further session, whose identity has the suffix.
func publishing(t *testing.T, server *stack.SFU, suffix string) string {
	target, err := url.Parse(server.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		query := p.Out.URL.Query()
		query.Set("publish", suffix)
		p.Out.URL.RawQuery = query.Encode()
	}})
	t.Cleanup(proxy.Close)
	return "ws" + strings.TrimPrefix(proxy.URL, "http")
}
