package pace_test

import (
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
)

// taken counts the requests that a budget of one a second grants at once.
func taken(b *pace.Budget, server matrix.ServerName, now time.Time) (n int) {
	for n < 1000 && b.Take(server, pace.Leave, now) == 0 {
		n++
	}
	return n
}

// TestAServerWithoutALimit: where the registration lifts the limit, the rate
// counts from a 429 on, until it has recovered.
func TestAServerWithoutALimit(t *testing.T) {
	own, other := matrixtest.ServerName(t, "own.org"), matrixtest.ServerName(t, "other.org")
	b := &pace.Budget{Rate: 10, Unbound: func(s matrix.ServerName) bool { return s == own }}
	now := time.Now()
	if got := taken(b, other, now); got > 20 {
		t.Errorf("%d requests at another homeserver at once, want the budget's", got)
	}
	if got := taken(b, own, now); got != 1000 {
		t.Errorf("%d requests at the own homeserver at once, want all", got)
	}
	if !b.Carries(own, 1000, now) || b.Carries(other, 1000, now) || !b.CarriesUser(own, 1000, 0, now) || b.CarriesUser(other, 1000, 0, now) {
		t.Error("a load of 1000 a second: got another answer, want it carried by the own homeserver alone")
	}
	b.SlowDown(own, time.Second, now)
	if wait := b.Take(own, pace.Leave, now); wait == 0 {
		t.Error("a request goes out within the Retry-After of a 429: got none, want some")
	}
	now = now.Add(2 * time.Second)
	if got := taken(b, own, now); got > 20 {
		t.Errorf("%d requests at once after a 429, want the lowered budget's", got)
	}
	if b.Carries(own, 1000, now) {
		t.Error("a load of 1000 a second after a 429: got it carried, want not")
	}
	for range 10 { // it rises by half every ten seconds
		now = now.Add(11 * time.Second)
		b.Carries(own, 1, now)
	}
	if got := taken(b, own, now); got != 1000 {
		t.Errorf("%d requests at once after it recovered, want all", got)
	}
}

// TestRefusals: a homeserver's answers 429 are counted, with the time of the last.
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
