package access_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
)

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":           "192.0.2.7/32",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
	} {
		t.Run(addr, func(t *testing.T) {
			if got := access.Network(netip.MustParseAddr(addr)); got.String() != want {
				t.Errorf("access.Network(%s) = %s, want %s", addr, got, want)
			}
		})
	}
	if access.Network(netip.Addr{}) != (netip.Prefix{}) {
		t.Errorf("access.Network of the zero address = %s, want none", access.Network(netip.Addr{}))
	}
}

// TestLimits checks that each user has a limit, and that each other homeserver
// has a limit for the requests of all its users. A request of another
// homeserver waits for up to 2 s before the service refuses it.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, way, user string
		users, origins  ratelimit.Limit
		waits           time.Duration // how long the second request waits
		kind            string        // the limit that refuses the second request; "" for none
	}{
		{"proxied, within", "proxied", alice, ratelimit.Limit{PerMinute: 60, Burst: 2}, ratelimit.Limit{}, 0, ""},
		{"proxied, over", "proxied", alice, ratelimit.Limit{PerMinute: 60, Burst: 1}, ratelimit.Limit{}, 0, metrics.UserRefused},
		{"OpenID, over", "openid", alice, ratelimit.Limit{PerMinute: 60, Burst: 1}, ratelimit.Limit{}, 0, metrics.UserRefused},
		{"proxied, no origin", "proxied", alice, ratelimit.Limit{}, ratelimit.Limit{PerMinute: 1, Burst: 1}, 0, ""},
		{"federated, user over", "federated", bob, ratelimit.Limit{PerMinute: 60, Burst: 1}, ratelimit.Limit{}, time.Second, ""},
		{"federated, user far over", "federated", bob, ratelimit.Limit{PerMinute: 10, Burst: 1}, ratelimit.Limit{}, 0, metrics.UserRefused},
		{"federated, origin over", "federated", bob, ratelimit.Limit{}, ratelimit.Limit{PerMinute: 60, Burst: 1}, time.Second, ""},
		{"federated, origin far over", "federated", bob, ratelimit.Limit{}, ratelimit.Limit{PerMinute: 10, Burst: 1}, 0, metrics.OriginRefused},
		{"federated, both over", "federated", bob, ratelimit.Limit{PerMinute: 24, Burst: 1}, ratelimit.Limit{PerMinute: 60, Burst: 1}, time.Second, metrics.UserRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Users, w.Origins = ratelimit.New[matrix.UserID](tt.users), ratelimit.New[matrix.ServerName](tt.origins)
				if _, err := w.Token(t.Context(), proof(tt.way, tt.user), request()); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err := w.Token(t.Context(), proof(tt.way, tt.user), request())
				limit, refused := errors.AsType[*access.LimitError](err)
				if refused != (tt.kind != "") || refused && (limit.Kind != tt.kind || limit.Wait <= 0) {
					t.Errorf("err = %v, want %q", err, tt.kind)
				}
				if took := time.Since(start); took != tt.waits {
					t.Errorf("took %v, want %v", took, tt.waits)
				}
			})
		})
	}
}
