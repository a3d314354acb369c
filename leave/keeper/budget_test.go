package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// crowd is a world (test set-up) with many members in one call. Each member has
// delegated a leave.
type crowd struct{ *world }

func newCrowd(t *testing.T, rate float64) crowd {
	w := newWorld(t)
	w.stop()
	<-w.ended
	w.budget = &pace.Budget{Rate: rate}
	w.start()
	return crowd{w}
}

// add makes a new member delegate a leave and join the call.
func (c crowd) add(name string, delay time.Duration) error {
	c.t.Helper()
	k := leave.Key{Room: "room", Identity: sfu.Identity(name)}
	c.set(func() {
		c.makeRoom()
		c.present.add(k, "S"+name)
	})
	c.schedule(name, delay)
	job := owned(c.t, leave.New(k, user(c.t), delayID(c.t, name), delay, time.Now()), "@"+name+":example.org")
	err := c.current().Delegate(c.t.Context(), job, leave.Limits{PerUser: 10_000, All: 10_000})
	if err != nil {
		return err
	}
	return c.current().Report(c.t.Context(), sfu.Event{Room: k.Room, Identity: k.Identity, Kind: sfu.KindJoined, Session: "S" + name})
}

// quit makes a member leave the call. The client tells the SFU that it leaves.
func (c crowd) quit(name string) {
	c.t.Helper()
	k := leave.Key{Room: "room", Identity: sfu.Identity(name)}
	c.set(func() { c.present.remove(k) })
	if err := c.current().Report(c.t.Context(), sfu.Event{Room: k.Room, Identity: k.Identity, Kind: sfu.KindLeft, Session: "S" + name, Reason: sfu.ReasonClear}); err != nil {
		c.t.Error(err)
	}
}

// fates counts how the leaves of n members ended. The members' names begin with prefix.
// The keys of the result are "sent", "fired" and "cancelled", and "" for leaves that
// still wait.
func (c crowd) fates(prefix string, n int) map[string]int {
	counts := map[string]int{}
	for i := range n {
		over, _ := c.fate(fmt.Sprint(prefix, i))
		counts[over]++
	}
	return counts
}

// TestHomeserverAtItsLimit checks how many leaves the keeper accepts at a given rate of
// requests. It must accept as many as it can restart in time at that rate, and refuse
// the next one.
func TestHomeserverAtItsLimit(t *testing.T) {
	for _, rate := range []float64{1, 10} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCrowd(t, rate)
				n := 0
				for ; n < 1000; n++ {
					err := c.add(fmt.Sprint("m", n), 18*time.Second)
					if limit, ok := err.(*leave.LimitError); ok && limit.Setting == "LIVEKIT_DELAYED_EVENT_RATE" {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if want := int(0.8 * rate * 0.8 * 18); n != want {
					t.Errorf("at %v requests a second the keeper accepted %d leaves of 18 s, want %d", rate, n, want)
				}
				time.Sleep(10 * time.Minute)
				if got := c.fates("m", n); got[""] != n {
					t.Errorf("fates after 10 min: got %v, want %d leaves that still wait", got, n)
				}
			})
		})
	}
}

// TestLateness checks the reported lateness of a postponed restart. It must count from
// the time at which the restart first became due.
func TestLateness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, 1)
		var latest time.Duration
		c.stop()
		<-c.ended
		c.observe = func(_ string, _ matrix.Result, late time.Duration) { c.set(func() { latest = max(latest, late) }) }
		c.start()
		const members, delay = 10, 18 * time.Second
		for i := range members {
			if err := c.add(fmt.Sprint("m", i), delay); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute)
		// All 10 leaves are due for a restart after 4.5 s. The budget allows 5 requests
		// at once, and then one a second, so the last restart is about 5 s late.
		c.set(func() {
			if latest < 4*time.Second || latest > delay/2 {
				t.Errorf("got the latest restart %v late, want 4 s to %v", latest, delay/2)
			}
		})
	})
}

// TestCrowdThatLeaves makes 800 members leave at the same moment. The keeper may take
// minutes to send their leaves. Meanwhile it must restart the leaves of other members
// in time, and must not ask the SFU again and again.
func TestCrowdThatLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const crowds, others = 800, 100
		c := newCrowd(t, 10)
		for i := range others {
			if err := c.add(fmt.Sprint("other", i), 18*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for i := range crowds {
			if err := c.add(fmt.Sprint("m", i), 24*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute)
		before := 0
		c.set(func() { before = c.asked })
		start := time.Now()
		for i := range crowds {
			c.quit(fmt.Sprint("m", i))
		}
		time.Sleep(16 * time.Minute)
		if got := c.fates("m", crowds); got["sent"] != crowds {
			t.Errorf("fates of the leaves of those who left: got %v, want all sent", got)
		}
		if got := c.fates("other", others); got[""] != others {
			t.Errorf("fates of the leaves of those who stay: got %v, want all to wait", got)
		}
		var longest time.Duration
		for i := range crowds {
			_, at := c.fate(fmt.Sprint("m", i))
			longest = max(longest, at.Sub(start))
		}
		asked := 0
		c.set(func() { asked = c.asked - before })
		t.Logf("the last leave was sent after %v; the SFU was asked %d times", longest, asked)
		if asked > 4*crowds {
			t.Errorf("%d leaves: got %d questions to the SFU, want at most %d", crowds, asked, 4*crowds)
		}
		// The homeserver allows 10 requests per second. The 100 members who stay need about
		// 7 of these, because each of their leaves must be restarted every 14.4 s.
		if longest > 14*time.Minute {
			t.Errorf("the last leave was sent after %v, want it within 14 min", longest)
		}
	})
}

// TestLimitedHomeserver has a homeserver that answers 429. Its Retry-After ends only
// after the leave would fire. So the keeper must try once before the Retry-After ends.
// The keeper must call Limited once, even if the budget does not limit the rate of
// requests (Rate is 0).
func TestLimitedHomeserver(t *testing.T) {
	for _, rate := range []float64{10, 0} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCrowd(t, rate)
				told := 0
				c.budget.Limited = func(matrix.ServerName) { c.set(func() { told++ }) }
				if err := c.add("m0", 18*time.Second); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				c.set(func() { c.hsStatus, c.retryAfter = matrix.ResultLimited, time.Hour })
				time.Sleep(6 * time.Second)
				c.set(func() { c.hsStatus = "" })
				calls := c.count("restart m0")
				time.Sleep(5 * time.Minute)
				if got, _ := c.fate("m0"); got != "" {
					t.Errorf("the leave: got %q, want it neither sent nor cancelled; calls %q", got, c.calls)
				}
				if calls > 4 {
					t.Errorf("got %d restarts although the homeserver asked for an hour of silence, want at most 4", calls)
				}
				c.set(func() {
					if told != 1 {
						t.Errorf("Limited was called %d times, want once", told)
					}
				})
			})
		})
	}
}

// TestLimitedWithoutARate has a homeserver that answered 429 with a Retry-After. Until
// the Retry-After is over, the keeper must not send requests to the homeserver, even if
// webhooks arrive.
func TestLimitedWithoutARate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, 0)
		if err := c.add("m0", time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.set(func() { c.hsStatus, c.retryAfter = matrix.ResultLimited, 20*time.Second })
		for range 20 {
			c.quit("m0")
			time.Sleep(time.Second / 2)
		}
		if n := c.count("send m0"); n != 1 {
			t.Errorf("got %d requests within 10 s, though the homeserver asked for 20 s of silence, want 1", n)
		}
		c.set(func() { c.hsStatus = "" })
		time.Sleep(11 * time.Second)
		if got, _ := c.fate("m0"); got != "sent" {
			t.Errorf("the leave: got %q, want it sent", got)
		}
	})
}

// TestLeavesAtTheSlowestRate checks the order of requests at low rates, down to one
// request per second. The keeper must send leaves first, and postpone restarts that have
// time to spare. But it must make all restarts in time.
func TestLeavesAtTheSlowestRate(t *testing.T) {
	for rate, others := range map[float64]int{1: 5, 1.5: 10, 4: 30} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const crowds = 50
				c := newCrowd(t, rate)
				for i := range others {
					if err := c.add(fmt.Sprint("other", i), 18*time.Second); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Second) // so that the restarts are due at different times
				}
				for i := range crowds {
					if err := c.add(fmt.Sprint("m", i), time.Hour); err != nil {
						t.Fatal(err)
					}
					time.Sleep(5 * time.Second)
				}
				time.Sleep(time.Minute)
				for i := range crowds {
					c.quit(fmt.Sprint("m", i))
				}
				// Each member who stays needs one restart in 12 s. The test waits 1.2
				// times as long as the leaves take with the remaining requests.
				time.Sleep(time.Duration(crowds/(rate-float64(others)/12)*1.2) * time.Second)
				if got := c.fates("m", crowds); got["sent"] != crowds {
					t.Errorf("of those who left: %v, want all sent", got)
				}
				if got := c.fates("other", others); got[""] != others {
					t.Errorf("of those who stay: %v, want all to wait", got)
				}
			})
		})
	}
}
