package pace_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/leave/pace"
)

// strangers calls ask with many names of servers, more than a [recent] can hold. Before
// every hundredth call of ask, it calls used.
func strangers(t *testing.T, used func(), ask func(name string)) {
	t.Helper()
	for i := range 10_000 {
		if i%100 == 0 {
			used()
		}
		ask(fmt.Sprintf("stranger%d.test", i))
	}
}

// TestStrangersHaveNoPaceForgotten has a homeserver with a Retry-After. Meanwhile, the
// service also uses very many other homeservers. The Retry-After must stay in force.
func TestStrangersHaveNoPaceForgotten(t *testing.T) {
	for name, b := range map[string]*pace.Budget{"with a rate": {Rate: 10}, "without": {}} {
		t.Run(name, func(t *testing.T) {
			own, now := matrixtest.ServerName(t, "own.org"), time.Now()
			b.SlowDown(own, time.Hour, now)
			strangers(t, func() {
				if b.Take(own, pace.Leave, now) == 0 {
					t.Fatalf("Take(%s) within the Retry-After of a 429: got a request at once, want a wait", own)
				}
			}, func(name string) { b.SlowDown(matrixtest.ServerName(t, name), time.Second, now) })
			if got := b.Status(now).Lowered; got > 4096 {
				t.Errorf("the budget has a lowered rate for %d homeservers, want at most 4096", got)
			}
		})
	}
}

// TestStrangersHaveNobodyBeSlow has a homeserver that answers quickly. Then the service
// also uses very many other homeservers. The first homeserver must still count as
// quick, and keep its share of the workers.
func TestStrangersHaveNobodyBeSlow(t *testing.T) {
	var w pace.Workers
	own, now := matrixtest.ServerName(t, "own.org"), time.Now()
	w.Took(own, 0)
	strangers(t, func() {
		if got := mayHave(t, &w, "own.org", now); got <= pace.PoolSize/8 {
			t.Fatalf("a quick homeserver may have %d workers for restarts, want more than %d, which a slow one may have", got, pace.PoolSize/8)
		}
	}, func(name string) { w.Took(matrixtest.ServerName(t, name), 0) })
}

// mayHave returns how many workers w grants at most for restarts at one homeserver. The
// parameter name is the homeserver's name.
func mayHave(t *testing.T, w *pace.Workers, name string, now time.Time) (n int) {
	t.Helper()
	var ends []func()
	for {
		end, ok := w.Take(matrixtest.ServerName(t, name), pace.Ordinary, now)
		if !ok {
			break
		}
		ends = append(ends, end)
	}
	for _, end := range ends {
		end()
	}
	return len(ends)
}
