package guard_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// pushed has the homeserver push events.
func pushed(g *guard.Guard) { g.Pushed = func() bool { return true } }

// report has g hear that somebody has joined.
func (w *world) report(g *guard.Guard, e sfu.Event) {
	if err := g.Report(w.t.Context(), e); err != nil {
		w.t.Error(err)
	}
}

// TestNoReports: where LiveKit reports nothing, an event may be of a call that
// nobody here knows of. So sweeps are as frequent as without events.
func TestNoReports(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		time.Sleep(3 * time.Minute)
		w.setJoined(alice, true)
		w.enter(alice)
		time.Sleep(time.Second)
		w.setJoined(alice, false)
		g.Changed(alice.room, alice.user)
		time.Sleep(40 * time.Second)
		w.wantOn(alice, false)
	}, pushed)
}

// TestMissedEvents: after an event that could not be read sweeps are as frequent as
// without pushes, until one has made up for it.
func TestMissedEvents(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.setJoined(alice, true)
		w.report(g, w.enter(alice))
		time.Sleep(15 * time.Minute)
		if s := g.Status(); s.Interval != 10*time.Minute {
			t.Fatalf("the interval is %s while events arrive, want 10m", s.Interval)
		}
		w.setJoined(alice, false)
		g.Missed()
		time.Sleep(40 * time.Second)
		w.wantOn(alice, false)
		time.Sleep(time.Minute)
		if s := g.Status(); s.Interval != 10*time.Minute {
			t.Errorf("the interval is %s after a sweep that heard all, want 10m", s.Interval)
		}
	}, pushed)
}

// TestReportsGoMissing: a call that a sweep finds, and no report has told of, says
// that reports do not arrive any more.
func TestReportsGoMissing(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		bob, carol := personOf("!other", "@bob:example.org"), personOf("!third", "@carol:example.org")
		for _, p := range []person{alice, bob, carol} {
			w.setJoined(p, true)
		}
		w.report(g, w.enter(alice))
		time.Sleep(time.Minute)
		w.enter(bob) // which is not reported
		time.Sleep(15 * time.Minute)
		w.enter(carol) // nor is this
		time.Sleep(time.Second)
		w.setJoined(carol, false)
		g.Changed(carol.room, carol.user)
		time.Sleep(40 * time.Second)
		w.wantOn(carol, false)
		if s := g.Status(); s.Interval != 30*time.Second {
			t.Errorf("the interval is %s, want 30s", s.Interval)
		}
		w.report(g, w.enter(alice))
		time.Sleep(time.Minute)
		if s := g.Status(); s.Interval != 10*time.Minute {
			t.Errorf("the interval is %s once reports arrive again, want 10m", s.Interval)
		}
	}, pushed)
}

// TestBrakeLiftsSoon: while the brake holds, sweeps look every 30 s whether the
// answers have recovered, however seldom they are otherwise.
func TestBrakeLiftsSoon(t *testing.T) {
	for name, change := range map[string]func(*guard.Guard){"pushed": pushed, "every hour": func(g *guard.Guard) { g.Interval = time.Hour }} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				all := crowd(30)
				for _, p := range all {
					w.setJoined(p, true)
					w.report(g, w.enter(p))
				}
				time.Sleep(time.Minute)
				w.change(func() { w.emptied = true })
				for !g.Status().Braked {
					time.Sleep(time.Minute)
				}
				w.change(func() { w.emptied = false })
				time.Sleep(40 * time.Second)
				if g.Status().Braked {
					w.t.Error("the brake holds 40 s after the answers have recovered")
				}
				if n := len(w.removed()); n != 0 {
					w.t.Errorf("removed %d, want none", n)
				}
			}, change)
		})
	}
}

// TestFirstLongSweep: that the interval stretches is known while the first sweep
// is under way, which is not late.
func TestFirstLongSweep(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.enterAll(crowd(10_000))
		time.Sleep(150 * time.Second)
		s := g.Status()
		if !s.SweepBegan.IsZero() {
			t.Fatal("within 150 s: got the sweep ended, want it under way")
		}
		if s.Interval != 200*time.Second || s.Late != 0 {
			t.Errorf("the interval is %s, late by %s, want 3m20s and 0s", s.Interval, s.Late)
		}
	})
}

// TestSecondQuestions are 2 to 5 s after the first, however many are refused and
// however slowly the homeserver answers.
func TestSecondQuestions(t *testing.T) {
	for _, takes := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond} {
		t.Run(fmt.Sprint(takes), func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				w.enterAll(crowd(250))
				w.change(func() { w.emptied, w.takes = true, takes })
				time.Sleep(20 * time.Second)
				first := map[person]time.Time{}
				twice := 0
				for _, q := range w.questions() {
					began, again := first[q.person]
					if !again {
						first[q.person] = q.at
						continue
					}
					twice++
					if apart := q.at.Sub(began); apart < 2*time.Second || apart > 5*time.Second {
						t.Fatalf("%s was asked about twice, %s apart, want 2 to 5 s", q.user, apart)
					}
				}
				if twice < 100 {
					t.Errorf("%d were asked about twice, want 100 at least", twice)
				}
			})
		})
	}
}

// TestCallsWithoutRoom: an event of a call that there was no room to remember is
// made up for by the next sweep, which comes soon.
func TestCallsWithoutRoom(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		var last person
		for i := range 17 {
			if i == 16 {
				time.Sleep(2 * time.Minute)
				if s := g.Status(); s.Interval != 10*time.Minute {
					t.Errorf("the interval is %s with 16 calls, want 10m", s.Interval)
				}
			}
			last = personOf("!room", fmt.Sprintf("@user%d:example.org", i))
			w.setJoined(last, true)
			call := sfu.Room(fmt.Sprint("call", i))
			text := w.sealer.Seal(w.ticketOf(last), ticket.Place{Room: call, Identity: last.identity()})
			w.report(g, w.enterWith(call, last.identity(), last, text, false))
		}
		time.Sleep(time.Second)
		w.setJoined(last, false)
		g.Changed(last.room, last.user)
		time.Sleep(40 * time.Second)
		w.wantOn(last, false)
	}, pushed)
}

// TestFasterThanSweeps: who is not joined does not escape sweeps by coming back
// again and again, in one call or in two, where LiveKit reports nothing.
func TestFasterThanSweeps(t *testing.T) {
	for _, calls := range []int{1, 2} {
		t.Run(fmt.Sprint(calls), func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				for i := range 35 {
					call := sfu.Room(fmt.Sprint("call", i%calls))
					w.leave(sfu.Room(fmt.Sprint("call", (i+1)%2)), alice.identity())
					text := w.sealer.Seal(w.ticketOf(alice), ticket.Place{Room: call, Identity: alice.identity()})
					w.enterWith(call, alice.identity(), alice, text, false)
					time.Sleep(2 * time.Second)
				}
				if len(w.removed()) == 0 {
					t.Error("in 70 s: got nobody removed, want her")
				}
			})
		})
	}
}

// TestReportsGoMissingInACall: a session that a sweep finds in a call that is known,
// and no report has told of, says that reports do not arrive any more.
func TestReportsGoMissingInACall(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		bob := person{alice.room, personOf("!x", "@bob:example.org").user}
		w.setJoined(bob, true)
		w.report(g, w.enter(bob))
		w.setJoined(alice, true)
		w.report(g, w.enter(alice))
		time.Sleep(time.Minute)
		w.setJoined(alice, false)
		g.Changed(alice.room, alice.user)
		time.Sleep(time.Second)
		w.wantOn(alice, false)
		for range 4 * 60 * 60 { // alice comes back with her old token whenever she is removed
			if !w.on(alice) {
				w.enter(alice) // which is not reported
			}
			time.Sleep(time.Second)
		}
		// Sweeps that are as frequent as without reports remove her every 40 s: 4 h
		// have 360 of these.
		if n := len(w.removed()); n < 300 {
			t.Errorf("removed %d times within 4 h, want 300 at least: the interval is %s", n, g.Status().Interval)
		}
	}, pushed)
}

// TestIntervalByRoom: where one question answers for a room, the interval stretches
// by the rooms, not by the persons.
func TestIntervalByRoom(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		for i := range 5_000 {
			p := personOf(fmt.Sprintf("!room%d", i%3), fmt.Sprintf("@user%d:example.org", i))
			w.setJoined(p, true)
			w.enter(p)
		}
		time.Sleep(time.Minute)
		if s := g.Status(); s.Interval != 30*time.Second || s.Persons != 5_000 {
			t.Errorf("the interval is %s for %d persons in 3 rooms, want 30s for 5000", s.Interval, s.Persons)
		}
	}, func(g *guard.Guard) { g.SFU.(*world).byRoom(g) })
}
