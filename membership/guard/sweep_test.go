package guard_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/sfu"
)

func TestSweep(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(w *world)
		on   bool
	}{
		{"joined", func(w *world) { w.joined[alice] = true }, true},
		{"not joined", func(*world) {}, false},
		{"no answer", func(w *world) { w.silent = true }, true},
		{"no once, then yes", func(w *world) {
			w.answer = func(_ person, n int) (bool, error) { return n%2 == 0, nil }
		}, true},
		{"no once, then no answer", func(w *world) {
			w.answer = func(_ person, n int) (bool, error) {
				if n%2 == 0 {
					return false, errAway
				}
				return false, nil
			}
		}, true},
		{"a record of a dead node", func(w *world) { w.dead["PA_000001"] = true }, true},
		{"the SFU lists no rooms", func(w *world) {
			w.sfuFails = func(op string, _ sfu.Room) bool { return op == "ListRooms" }
		}, true},
		{"the SFU does not say whether a node answers", func(w *world) {
			w.sfuFails = func(op string, _ sfu.Room) bool { return op == "Reachable" }
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				w.enter(alice)
				w.change(func() { tt.set(w) })
				time.Sleep(35 * time.Second)
				w.wantOn(alice, tt.on)
				if !tt.on {
					q := w.questions()
					if apart := q[1].at.Sub(q[0].at); apart < 2*time.Second || apart > 5*time.Second {
						t.Errorf("the questions are %s apart, want 2 to 5 s", apart)
					}
				}
			})
		})
	}
}

// TestSweepTime checks that a person who is banned right after a sweep is
// removed within 40 s.
func TestSweepTime(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		all := crowd(100)
		w.enterAll(all)
		time.Sleep(10 * time.Second)
		w.setJoined(all[7], false)
		time.Sleep(40 * time.Second)
		w.wantOn(all[7], false)
		if n := len(w.removed()); n != 1 {
			t.Errorf("removed %d, want 1", n)
		}
	}, func(g *guard.Guard) { g.Jitter = func(d time.Duration) time.Duration { return d + d/10 } })
}

// TestSweepPassesOverARoom checks that a sweep goes on if the SFU cannot list
// the participants of one room.
func TestSweepPassesOverARoom(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		bob := personOf("!other", "@bob:example.org")
		w.enter(alice)
		w.enter(bob)
		w.change(func() {
			w.sfuFails = func(op string, room sfu.Room) bool { return op == "Participants" && room == alice.call() }
		})
		time.Sleep(35 * time.Second)
		w.wantOn(alice, true)
		w.wantOn(bob, false)
	})
}

// TestJudgedSessionsAlone checks a person who reconnects while a sweep asks
// about them. The guard must ask again before it removes the new session.
func TestJudgedSessionsAlone(t *testing.T) {
	for _, joined := range []bool{false, true} {
		t.Run(fmt.Sprintf("joined %v", joined), func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				w.enter(alice)
				w.change(func() { // the person joins again after the second question
					w.answer = func(_ person, n int) (bool, error) { return joined && n > 2, nil }
				})
				for len(w.questions()) == 0 {
					time.Sleep(100 * time.Millisecond)
				}
				w.enter(alice)
				time.Sleep(10 * time.Second)
				w.wantOn(alice, joined)
				w.wantAsked(3)
			})
		})
	}
}

// TestOldNo checks that the guard asks a third time about a person if the second
// answer "no" is already too old for a removal. Ten persons are not joined. The
// sweep asks about them at different times, so at the end of the sweep some of the
// answers about them are too old.
func TestOldNo(t *testing.T) {
	for _, comesBack := range []bool{false, true} {
		t.Run(fmt.Sprintf("comes back %v", comesBack), func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				all := crowd(900)
				w.enterAll(all)
				asked, gone := map[person]int{}, map[person]bool{}
				for i := range 10 {
					gone[all[i*90]] = true
				}
				w.change(func() {
					w.answer = func(p person, _ int) (bool, error) {
						asked[p]++
						return !gone[p] || comesBack && asked[p] > 2, nil
					}
				})
				for g.Status().SweepBegan.IsZero() {
					time.Sleep(time.Second)
				}
				again := 0
				for p := range gone {
					w.wantOn(p, comesBack && asked[p] == 3)
					again += asked[p] - 2
				}
				if again == 0 {
					t.Error("nobody was asked about once more: got none, want some")
				}
			}, func(g *guard.Guard) { g.Interval = 2 * time.Minute }) // a sweep takes 36 s
		})
	}
}

// TestPace checks that a sweep asks at most 50 questions per second. If the
// interval is too short for all questions, it gets longer.
func TestPace(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.enterAll(crowd(3000))
		time.Sleep(5 * time.Minute)
		perSecond := map[int64]int{}
		for _, q := range w.questions() {
			perSecond[q.at.Unix()]++
		}
		for second, n := range perSecond {
			if n > 51 {
				t.Fatalf("got %d questions in second %d, want at most 51", n, second)
			}
		}
		if s := g.Status(); s.Persons != 3000 || s.Interval < 60*time.Second || s.Interval > 65*time.Second {
			t.Errorf("status %+v, want 3000 persons and an interval of about a minute", s)
		}
	})
}

// TestSilence checks that a sweep stops asking a homeserver that does not
// answer.
func TestSilence(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.enterAll(crowd(3000))
		w.change(func() { w.silent = true })
		time.Sleep(25 * time.Second)
		if n := len(w.questions()); n > 100 {
			t.Errorf("asked %d times, want at most 100", n)
		}
	})
}

func TestNoSweeps(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.enter(alice)
		time.Sleep(time.Hour)
		if n := w.called(); n != 0 {
			t.Errorf("got %d calls of the SFU, want 0", n)
		}
		w.wantOn(alice, true)
		if s := g.Status(); s.Interval != 0 {
			t.Errorf("the interval is %s, want 0", s.Interval)
		}
	}, noSweeps)
}

// TestAsksOnceAPerson checks that a sweep asks once about a person, however
// many sessions they have.
func TestAsksOnceAPerson(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.setJoined(alice, true)
		w.enter(alice)
		w.beside(alice, "screen")
		time.Sleep(10 * time.Second)
		w.wantAsked(1)
	})
}

func TestStatus(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		if s := g.Status(); !s.SweepBegan.IsZero() || s.Interval != 30*time.Second {
			t.Errorf("at the start: got %+v, want no sweep, each 30 s", s)
		}
		w.setJoined(alice, true)
		w.enter(alice)
		w.enterWith(alice.call(), "recorder", alice, "", true)
		began := time.Now()
		time.Sleep(10 * time.Second)
		s := g.Status()
		if s.Persons != 1 || s.Unsealed != 1 || s.Foreign != 0 || s.Asked != 1 || s.SweepBegan.Before(began) || s.SweepBegan.After(time.Now()) {
			t.Errorf("after a sweep: got %+v, want one person, unsealed, asked about", s)
		}
	})
}

// TestReplicas checks that only one replica sweeps. Soon after that replica has
// ended, another one must sweep.
func TestReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		board := &guard.Local{}
		var ends []func()
		var all []*guard.Guard
		for i := range 3 {
			g := w.guard()
			g.Board, g.Holder, g.Shared = board, fmt.Sprint(i), true
			all = append(all, g)
			ends = append(ends, run(t, g))
		}
		w.setJoined(alice, true)
		w.enter(alice)
		time.Sleep(time.Minute)
		swept := -1
		for i, g := range all {
			if !g.Status().SweepBegan.IsZero() {
				if swept >= 0 {
					t.Errorf("got sweeps of both %d and %d, want one alone", swept, i)
				}
				swept = i
			}
		}
		if swept < 0 {
			t.Fatalf("none has swept: got %v, want at least 0", swept)
		}
		ends[swept]()
		w.setJoined(alice, false)
		time.Sleep(time.Minute)
		w.wantOn(alice, false)
		if n := w.calls["Remove"]; n != 1 {
			t.Errorf("removed %d times, want once", n)
		}
		for _, end := range ends {
			end()
		}
	})
}
