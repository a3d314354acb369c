package access_test

import (
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/ticket"
)

// TestTicket checks the ticket in the token. The ticket names the user and how
// the user's request came, and says whether the user was known to be joined.
func TestTicket(t *testing.T) {
	for way, want := range map[string]ticket.Ticket{
		"openid":    {User: user(alice), By: ticket.OpenID},
		"proxied":   {User: user(alice), By: ticket.Proxied, Joined: true},
		"federated": {User: user(bob), By: ticket.Federated, Joined: true},
	} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, what := newWorld(t, "a.test"), request()
				w.Issuer = ticket.IssuerOf(server("a.test"))
				want.Issuer, want.Room, want.Issued = w.Issuer, what.Room, time.Now()
				if _, err := w.Token(t.Context(), proof(way, want.User.String()), what); err != nil {
					t.Fatal(err)
				}
				if w.ticket != want {
					t.Errorf("the token holds the ticket %+v, want %+v", w.ticket, want)
				}
			})
		})
	}
}
