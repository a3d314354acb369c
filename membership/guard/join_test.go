package guard_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// report tells the guard that a session began, and waits until the guard has
// nothing more to do.
func report(t testing.TB, g *guard.Guard, e sfu.Event) {
	t.Helper()
	if err := g.Report(t.Context(), e); err != nil {
		t.Errorf("Report: got %v, want no error", err)
	}
	synctest.Wait()
}

func TestJoin(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(w *world)
		on   bool
	}{
		{"joined", func(w *world) { w.joined[alice] = true }, true},
		{"not joined", func(*world) {}, false},
		{"no answer", func(w *world) { w.silent = true }, true},
		{"an answer beside an error", func(w *world) {
			w.answer = func(person, int) (bool, error) { return false, errAway }
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				tt.set(w)
				start := time.Now()
				report(t, g, w.enter(alice))
				w.wantOn(alice, tt.on)
				w.wantAsked(1)
				if took := time.Since(start); took > 0 {
					t.Errorf("got %s beside the questions, want no time", took)
				}
			}, noSweeps)
		})
	}
}

// TestLetBe checks that the guard leaves three kinds of sessions alone, and
// asks no question about them: sessions of machines (like recorders), sessions
// without a valid ticket of this service, and sessions whose ticket does not
// say that the user is joined (Ticket.Joined is false).
func TestLetBe(t *testing.T) {
	place := ticket.Place{Room: alice.call(), Identity: alice.identity()}
	other := ticket.NewSealer([]sfu.Key{{ID: "other"}})
	for _, tt := range []struct {
		name    string
		ticket  func(w *world) string
		machine bool
	}{
		{"no ticket", func(*world) string { return "" }, false},
		{"not a ticket", func(*world) string { return "whatever" }, false},
		{"another key's", func(w *world) string { return other.Seal(w.ticketOf(alice), place) }, false},
		{"somebody else's", func(w *world) string {
			return w.sealer.Seal(w.ticketOf(alice), ticket.Place{Room: place.Room, Identity: "@bob:example.org:DEV"})
		}, false},
		{"of another service", func(w *world) string {
			x := w.ticketOf(alice)
			x.Issuer = ticket.Issuer{1}
			return w.sealer.Seal(x, place)
		}, false},
		{"not known to be joined", func(w *world) string {
			x := w.ticketOf(alice)
			x.Joined = false
			return w.sealer.Seal(x, place)
		}, false},
		{"a machine", func(w *world) string { return w.sealer.Seal(w.ticketOf(alice), place) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				report(t, g, w.enterWith(place.Room, place.Identity, alice, tt.ticket(w), tt.machine))
				g.Changed(alice.room, alice.user)
				time.Sleep(2 * time.Minute) // during this, the guard sweeps
				w.wantOn(alice, true)
				w.wantAsked(0)
				if s := g.Status(); s.Foreign+s.Unsealed != 1 || s.Persons != 0 {
					t.Errorf("counted %+v, want one that is let be", s)
				}
			})
		})
	}
}

func TestOtherReports(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		for _, kind := range []sfu.Kind{sfu.KindLeft, sfu.KindAborted, sfu.KindOther} {
			e := w.enter(alice)
			e.Kind = kind
			report(t, g, e)
		}
		w.wantAsked(0)
	}, noSweeps)
}

// TestJoinRemovesEarlierSessions checks that the report of a join ends earlier
// sessions of the person. It must not end later ones, nor sessions of other
// persons.
func TestJoinRemovesEarlierSessions(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		bob := person{alice.room, personOf("!x", "@bob:example.org").user}
		w.setJoined(bob, true)
		w.enter(bob)
		screen := w.beside(alice, "screen").Session
		time.Sleep(time.Second)
		e := w.enter(alice)
		time.Sleep(time.Second)
		later := w.beside(alice, "later")
		report(t, g, e)
		if got, want := w.removed(), []string{screen, e.Session}; len(got) != 2 || !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
			t.Errorf("removed %v, want %v", got, want)
		}
		w.wantOn(bob, true)
		report(t, g, later)
		w.wantOn(alice, false)
	}, noSweeps)
}

// TestLateReport checks a report of a join that comes when the session has
// already ended. Because of this report, the guard must not end the person's next
// session, which has a report of its own.
func TestLateReport(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		old := w.enter(alice)
		time.Sleep(time.Second)
		fresh := w.enter(alice)
		report(t, g, old)
		w.wantOn(alice, true)
		report(t, g, fresh)
		w.wantOn(alice, false)
	}, noSweeps)
}

// TestComingBack checks a person who was removed three times within a minute. If
// the person comes back within 5 s of the homeserver's last answer "no", the
// guard must remove the person without asking again. There are two exceptions: a
// token that was issued since that answer, and an event about the person that the
// homeserver has pushed since then.
func TestComingBack(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		old := w.sealer.Seal(w.ticketOf(alice), ticket.Place{Room: alice.call(), Identity: alice.identity()})
		time.Sleep(2 * time.Second)
		again := func() {
			t.Helper()
			report(t, g, w.enterWith(alice.call(), alice.identity(), alice, old, false))
			w.wantOn(alice, false)
		}
		for range 3 {
			again()
		}
		w.wantAsked(3)
		time.Sleep(4900 * time.Millisecond)
		again()
		w.wantAsked(3)
		time.Sleep(200 * time.Millisecond)
		again()
		w.wantAsked(4)
		w.setJoined(alice, true)
		report(t, g, w.enter(alice)) // with a new token, issued after the answer "no", so the guard asks again
		w.wantOn(alice, true)
		w.wantAsked(5)
		w.setJoined(alice, false)
		g.Changed(alice.room, alice.user)
		synctest.Wait()
		w.wantOn(alice, false)
		time.Sleep(time.Minute)
		again()
		w.wantAsked(7)
	}, noSweeps)
}

// TestOneQuestionAtATime checks several reports about a person while a question
// about that person runs. They must lead to only one more question.
func TestOneQuestionAtATime(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.takes = time.Second
		w.setJoined(alice, true)
		report(t, g, w.enter(alice))
		for range 5 {
			report(t, g, w.enter(alice))
			g.Changed(alice.room, alice.user)
		}
		w.wantAsked(1)
		time.Sleep(time.Minute)
		w.wantAsked(2)
		if q := w.questions(); q[1].at.Sub(q[0].at) < time.Second {
			t.Errorf("the second question: got it %s after the first, want at least 1 s", q[1].at.Sub(q[0].at))
		}
	}, noSweeps)
}

// TestTooManyOrders checks that a sweep finds the persons who did not fit into
// the queue of persons to ask about.
func TestTooManyOrders(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.takes = time.Hour
		var last sfu.Event
		for i := range 5000 {
			p := personOf("!room", "@"+strings.Repeat("a", i%100)+string(rune('a'+i/100%26))+strings.Repeat("b", i/2600)+":example.org")
			last = w.enter(p)
			if err := g.Report(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if s := g.Status(); s.Overflow == 0 {
			t.Errorf("nothing was lost: %+v: got none, want some", s)
		}
	}, noSweeps)
}

func TestRemovalFails(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.sfuFails = func(op string, _ sfu.Room) bool { return op == "Remove" }
		report(t, g, w.enter(alice))
		w.wantOn(alice, true)
		if s := g.Status(); s.Failed != 1 || s.Removed[guard.ByJoin] != 0 {
			t.Errorf("counted %+v, want one that failed", s)
		}
		if w.log.Count("level=WARN") != 1 {
			t.Errorf("got %d warnings, want one", w.log.Count("level=WARN"))
		}
		w.change(func() { w.sfuFails = nil })
		time.Sleep(35 * time.Second)
		w.wantOn(alice, false)
	})
}

// TestRemovalIsLogged checks that the log says who was removed from where, why,
// and how long their session lasted.
func TestRemovalIsLogged(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		e := w.enter(alice)
		time.Sleep(1500 * time.Millisecond)
		report(t, g, e)
		for _, want := range []string{"user=@alice:example.org", "room=" + string(alice.call()), "identity=@alice:example.org:DEV", "by=join", "stayed=1.5s"} {
			if w.log.Count(want) != 1 {
				t.Errorf("log: want %s in it once, got\n%s", want, w.log.String())
			}
		}
	}, noSweeps)
}

var _ guard.Members = (*world)(nil)
