package guard_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// pushed makes g believe that the homeserver pushes events.
func pushed(g *guard.Guard) { g.Pushed = func() bool { return true } }

// report tells g that a participant has joined.
func (w *world) report(g *guard.Guard, e sfu.Event) {
	if err := g.Report(w.t.Context(), e); err != nil {
		w.t.Error(err)
	}
}

// TestNoReports checks that sweeps stay frequent if the homeserver pushes
// events, but LiveKit reports no joins. Without these reports, the guard may
// not know in which LiveKit room a person is whom an event names. Only a sweep
// finds that out.
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

// TestMissedEvents checks a pushed event that the service could not read. After it,
// sweeps must be as frequent as without pushes, until one of them has ended.
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

// TestReportsGoMissing checks that the guard notices that reports are missing
// when a sweep finds a call that LiveKit did not report.
func TestReportsGoMissing(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		bob, carol := personOf("!other", "@bob:example.org"), personOf("!third", "@carol:example.org")
		for _, p := range []person{alice, bob, carol} {
			w.setJoined(p, true)
		}
		w.report(g, w.enter(alice))
		time.Sleep(time.Minute)
		w.enter(bob) // LiveKit sends no webhook about this join
		time.Sleep(15 * time.Minute)
		w.enter(carol) // LiveKit sends no webhook about this join
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

// TestBrakeLiftsSoon checks that sweeps come every 30 s while the brake holds,
// even if they are rare otherwise. So the brake disengages soon.
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

// TestFirstLongSweep checks the status during a first sweep that takes longer
// than the configured interval. The status must show the longer interval that
// such sweeps need, and must not say that the sweep is late.
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

// TestSecondQuestions checks sweeps, which ask a second time about each person
// who is not joined. The second question must come 2 to 5 s after the first,
// however many persons are not joined, and however slowly the homeserver answers.
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

// TestCallsWithoutRoom has a person in a LiveKit room for which the guard's
// index had no space. After an event that says that the person is not joined,
// the next sweep must come soon, and find the person.
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

// TestFasterThanSweeps checks that a person who is not joined cannot escape
// sweeps by reconnecting again and again, in one call or in two. LiveKit
// reports nothing in this test.
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

// TestReportsGoMissingInACall checks sweeps after LiveKit has stopped
// reporting joins. A sweep finds an unreported session in a call that the
// guard knows. From then on, sweeps must be as frequent as if LiveKit had never
// reported joins.
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
		for range 4 * 60 * 60 { // whenever the guard has removed alice, she returns with her old token
			if !w.on(alice) {
				w.enter(alice) // LiveKit does not report this
			}
			time.Sleep(time.Second)
		}
		// Without reports of joins, sweeps remove alice every 40 s. That is 360
		// times in 4 h.
		if n := len(w.removed()); n < 300 {
			t.Errorf("removed %d times within 4 h, want 300 at least: the interval is %s", n, g.Status().Interval)
		}
	}, pushed)
}

// TestIntervalByRoom checks that the interval depends on the number of rooms,
// not of persons, if the guard asks one question about each room.
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
