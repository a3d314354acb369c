package doctor_test

import (
	"net/http"
	"strings"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/handler"
)

// TestClientAddress checks that doctor finds out what a proxy does with the
// headers that name the client. doctor sends an invented address in each of
// these headers.
func TestClientAddress(t *testing.T) {
	both := []string{"X-Forwarded-For", "X-Real-IP"}
	const forged, passed = "client-address-forged", "client-address-passed"
	for _, c := range []struct {
		what        string
		tells       []string
		appends     bool
		visitor     string
		setting     string
		cause, says string
	}{
		{"both set", both, false, "198.51.100.7", "", "", "we are 198.51.100.7"},
		{"both set, one machine", both, false, "127.0.0.1", "", "", "we are 127.0.0.1"},
		{"appended", both[:1], true, "198.51.100.7", "", "", "we are 198.51.100.7"},
		{"X-Real-IP alone", both[1:], false, "198.51.100.7", "", forged, "LIVEKIT_CLIENT_ADDRESS=x-real-ip"},
		{"X-Real-IP alone, as the setting says", both[1:], false, "198.51.100.7", "x-real-ip", "", "we are 198.51.100.7"},
		{"X-Forwarded-For alone", both[:1], false, "198.51.100.7", "", "", "we are 198.51.100.7"},
		{"X-Forwarded-For alone, and another setting", both[:1], false, "198.51.100.7", "x-real-ip", forged, "LIVEKIT_CLIENT_ADDRESS=x-forwarded-for"},
		{"everybody at a private address, appended", both[:1], true, "10.1.1.1", "", passed, "proxy_set_header X-Forwarded-For $remote_addr;"},
		{"everybody at a private address, X-Real-IP passed on", both[:1], false, "10.1.1.1", "", passed, "header_up X-Real-IP {remote_host}"},
		{"nothing told", nil, false, "198.51.100.7", "", passed, "LIVEKIT_TRUSTED_PROXIES=none"},
		{"nothing told, X-Real-IP wanted", nil, false, "198.51.100.7", "x-real-ip", passed, "proxy_set_header X-Real-IP $remote_addr;"},
		{"a header of the proxy's own", append(both, "CF-Connecting-IP"), false, "198.51.100.7", "cf-connecting-ip", "", "we are 198.51.100.7"},
		{"a header that the proxy passes on", both, false, "198.51.100.7", "cf-connecting-ip", forged, "LIVEKIT_CLIENT_ADDRESS=x-real-ip"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.tells, s.appends, s.visitor = c.tells, c.appends, c.visitor
			s.env["LIVEKIT_CLIENT_ADDRESS"] = c.setting
			isClientAddress(t, s, c.cause, c.says)
		})
	}
}

// TestClientAddressUntrusted checks that doctor reports a service that does not
// trust its proxy. Such a service takes the proxy's address for the client's,
// whatever headers the proxy writes.
func TestClientAddressUntrusted(t *testing.T) {
	for name, trusted := range map[string]string{"other networks": "10.0.0.0/8", "nobody": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.env["LIVEKIT_TRUSTED_PROXIES"] = trusted
			s.service = func(h *handler.Handler) { h.Proxies.Trusted = nil }
			isClientAddress(t, s, "client-address-lost", "If LIVEKIT_TRUSTED_PROXIES lacks the proxy's address 127.0.0.1, add it")
		})
	}
}

// TestClientAddressRefused checks that doctor finds no fault if a proxy refuses
// invented headers. With such a proxy, no client can forge an address.
func TestClientAddressRefused(t *testing.T) {
	s := newStack(t)
	s.jwtProxy = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Real-IP") != "" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	isClientAddress(t, s, "", "we are 198.51.100.7, and invented headers are answered with 403")
}

// isClientAddress runs doctor on s. The check of the client's address must find
// the given cause ("" for none). The finding or the remedy must contain the text
// in the argument says.
func isClientAddress(t *testing.T, s *stack, cause, says string) {
	t.Helper()
	s.options = doctor.Options{Only: []string{"service.client_address"}}
	for _, c := range s.examine().Checks {
		if c.ID != "service.client_address" {
			continue
		}
		if got := c.CauseID; got != cause || !strings.Contains(c.Seen+c.Remedy, says) {
			t.Errorf("%s: cause %q, want %q; its texts are %q and %q, want %q in them", c.Status, got, cause, c.Seen, c.Remedy, says)
		}
		return
	}
	t.Errorf("got no check of the client address, want one with the cause %q", cause)
}
