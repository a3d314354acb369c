package pace_test

import (
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
)

// taken counts how many requests b allows at the time now. It stops at 1000.
func taken(b *pace.Budget, server matrix.ServerName, now time.Time) (n int) {
	for n < 1000 && b.Take(server, pace.Leave, now) == 0 {
		n++
	}
	return n
}

// TestAServerWithoutALimit has a homeserver that does not limit this service, so the
// field Unbound exempts it from the rate. After an answer 429, the rate must apply to
// this homeserver, too, until the lowered rate is as high as usual again.
func TestAServerWithoutALimit(t *testing.T) {
	own, other := matrixtest.ServerName(t, "own.org"), matrixtest.ServerName(t, "other.org")
	b := &pace.Budget{Rate: 10, Unbound: func(s matrix.ServerName) bool { return s == own }}
	now := time.Now()
	if got := taken(b, other, now); got > 20 {
		t.Errorf("Take granted %d requests to another homeserver at once, want at most 20: the budget applies to it", got)
	}
	if got := taken(b, own, now); got != 1000 {
		t.Errorf("Take granted %d requests to the own homeserver at once, want all 1000", got)
	}
	if !b.Carries(own, 1000, now) || b.Carries(other, 1000, now) || !b.CarriesUser(own, 1000, 0, now) || b.CarriesUser(other, 1000, 0, now) {
		t.Error("Carries and CarriesUser of 1000 restarts a second: want true for the own homeserver, and false for the other")
	}
	b.SlowDown(own, time.Second, now)
	if wait := b.Take(own, pace.Leave, now); wait == 0 {
		t.Error("Take within the Retry-After of a 429: got no wait, want one")
	}
	now = now.Add(2 * time.Second)
	if got := taken(b, own, now); got > 20 {
		t.Errorf("Take granted %d requests at once after a 429, want at most 20: the rate is lowered", got)
	}
	if b.Carries(own, 1000, now) {
		t.Error("Carries of 1000 restarts a second after a 429: got true, want false")
	}
	for range 10 { // the rate rises by half every ten seconds, up to the usual rate
		now = now.Add(11 * time.Second)
		b.Carries(own, 1, now)
	}
	if got := taken(b, own, now); got != 1000 {
		t.Errorf("Take granted %d requests at once after the rate had recovered, want all 1000", got)
	}
}

// TestRefusals checks that Refusals returns how often a homeserver has answered 429,
// and when it last did so.
func TestRefusals(t *testing.T) {
	own, other := matrixtest.ServerName(t, "own.org"), matrixtest.ServerName(t, "other.org")
	b := &pace.Budget{Rate: 10}
	now := time.Now()
	b.SlowDown(own, time.Second, now)
	b.SlowDown(own, time.Second, now.Add(time.Minute))
	if n, last := b.Refusals(own); n != 2 || !last.Equal(now.Add(time.Minute)) {
		t.Errorf("%d answers 429, the last at %s, want 2 and %s", n, last, now.Add(time.Minute))
	}
	if n, last := b.Refusals(other); n != 0 || !last.IsZero() {
		t.Errorf("got %d answers 429, the last at %s, want none", n, last)
	}
}
