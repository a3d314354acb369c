package guard_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/membership/guard"
)

const (
	tripped = "level=ERROR"
	lifted  = "answers have recovered"
)

// TestBrake checks that the brake engages if the guard would remove more than
// 20 persons, and these are more than a third of all persons on the SFU.
func TestBrake(t *testing.T) {
	for _, tt := range []struct {
		name           string
		all, gone, off int
		unbraked       bool
		removed        int
	}{
		{"20 of 20", 20, 20, 0, false, 20},
		{"21 of 63", 63, 21, 0, false, 21},
		{"21 of 62", 62, 21, 0, false, 0},
		{"30 of 30", 30, 30, 0, false, 0},
		{"30 of 30, confirmed", 30, 30, 0, true, 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				all := crowd(tt.all)
				w.enterAll(all)
				for _, p := range all[:tt.gone] {
					w.setJoined(p, false)
				}
				time.Sleep(2 * time.Minute)
				if n := len(w.removed()); n != tt.removed {
					t.Errorf("removed %d, want %d", n, tt.removed)
				}
				want := 0
				if tt.removed == 0 {
					want = 1
				}
				if n := w.log.Count(tripped); n != want {
					t.Errorf("%d error lines, want %d", n, want)
				}
				if s := g.Status(); s.Braked != (want == 1) {
					t.Errorf("got %+v, want Braked: %t", s, want == 1)
				}
			}, func(g *guard.Guard) { g.Unbraked = tt.unbraked })
		})
	}
}

// TestEmptiedAndRestored checks that the guard removes nobody while the
// homeserver's database is empty. Meanwhile, 30 participants are in calls, some
// leave, others reconnect, and the homeserver does not answer for some time.
// After the database is restored, removals go on.
func TestEmptiedAndRestored(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		all := crowd(30)
		w.enterAll(all)
		time.Sleep(10 * time.Second)
		w.change(func() { w.emptied = true })
		time.Sleep(time.Minute)
		for _, p := range all[:15] {
			w.leave(p.call(), p.identity())
		}
		for _, p := range all[15:20] {
			report(t, g, w.enter(p))
			g.Changed(p.room, p.user)
		}
		time.Sleep(time.Minute)
		w.change(func() { w.silent = true })
		time.Sleep(time.Minute)
		w.change(func() { w.silent = false })
		report(t, g, w.enter(all[29]))
		time.Sleep(time.Minute)
		w.change(func() { w.emptied = false })
		time.Sleep(time.Minute)
		if n := len(w.removed()); n != 0 {
			t.Errorf("removed %d, want nobody", n)
		}
		if n, m := w.log.Count(tripped), w.log.Count(lifted); n != 1 || m != 1 {
			t.Errorf("%d error lines and %d that it is over, want one each", n, m)
		}
		w.setJoined(all[20], false)
		report(t, g, w.enter(all[20]))
		w.wantOn(all[20], false)
	})
}

// TestEverybodyReconnects checks a restart of the SFU, after which all clients
// reconnect. The homeserver says that none of their users is joined. The brake
// must engage before the guard removes the 21st person.
func TestEverybodyReconnects(t *testing.T) {
	for _, sweeps := range []bool{false, true} {
		t.Run(fmt.Sprintf("sweeps=%t", sweeps), func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				all := crowd(60)
				w.enterAll(all)
				time.Sleep(10 * time.Second)
				w.change(func() { w.emptied = true })
				for _, p := range all {
					report(t, g, w.enter(p))
				}
				if n := len(w.removed()); n != 20 {
					t.Errorf("removed %d, want 20", n)
				}
				if n := w.log.Count(tripped); n != 1 {
					t.Errorf("%d error lines, want 1", n)
				}
				w.change(func() { w.emptied = false })
				time.Sleep(time.Minute + 10*time.Second)
				if n := w.log.Count(lifted); n != 1 {
					t.Errorf("%d lines that it is over, want 1", n)
				}
				w.setJoined(all[50], false)
				report(t, g, w.enter(all[50]))
				w.wantOn(all[50], false)
			}, func(g *guard.Guard) {
				if !sweeps {
					g.Interval = 0
				}
			})
		})
	}
}

// TestEmptiedWithinASweep checks a homeserver that comes back during a sweep,
// with an empty database. So the sweep gets no answer about some of 30 persons,
// and the answer "no" about all others. The guard must remove nobody.
func TestEmptiedWithinASweep(t *testing.T) {
	for at := 0 * time.Millisecond; at <= 600*time.Millisecond; at += 100 * time.Millisecond {
		t.Run(at.String(), func(t *testing.T) {
			in(t, func(w *world, _ *guard.Guard) {
				all := crowd(30)
				w.enterAll(all)
				time.Sleep(10 * time.Second)
				w.change(func() { w.silent, w.emptied = true, true })
				time.Sleep(21*time.Second + at) // a sweep begins at 31 s
				w.change(func() { w.silent = false })
				time.Sleep(2 * time.Minute)
				if n := len(w.removed()); n != 0 {
					t.Errorf("removed %d, want nobody", n)
				}
				if n := w.log.Count(tripped); n != 1 {
					t.Errorf("%d error lines, want 1", n)
				}
			})
		})
	}
}

// TestEmptiedAndSlow checks a homeserver that has an empty database, and that
// answers about only half of 30 persons in a sweep. In each of three sweeps
// this is a different half. The guard must remove nobody.
func TestEmptiedAndSlow(t *testing.T) {
	in(t, func(w *world, _ *guard.Guard) {
		all := crowd(30)
		w.enterAll(all)
		time.Sleep(10 * time.Second)
		began := time.Now()
		w.change(func() {
			w.answer = func(p person, _ int) (bool, error) {
				since := time.Since(began)
				for i, one := range all {
					if one == p && since < 2*time.Minute && i%2 == int(since/(30*time.Second))%2 {
						return false, errAway
					}
				}
				return false, nil
			}
		})
		time.Sleep(5 * time.Minute)
		if n := len(w.removed()); n != 0 {
			t.Errorf("removed %d, want nobody", n)
		}
		if n := w.log.Count(tripped); n != 1 {
			t.Errorf("%d error lines, want 1", n)
		}
	})
}

// TestEmptiedLateInASweep checks a homeserver that answers "yes" about most of
// 300 persons, and then loses its database before the sweep ends. The guard
// must remove nobody.
func TestEmptiedLateInASweep(t *testing.T) {
	in(t, func(w *world, _ *guard.Guard) {
		w.enterAll(crowd(300))
		time.Sleep(31*time.Second + 4200*time.Millisecond) // a sweep began at 31 s
		w.change(func() { w.emptied = true })
		time.Sleep(2 * time.Minute)
		if n := len(w.removed()); n != 0 {
			t.Errorf("removed %d, want nobody", n)
		}
		if n := w.log.Count(tripped); n != 1 {
			t.Errorf("%d error lines, want 1", n)
		}
	})
}

// TestUnknownForLong checks that the guard removes persons who are not joined
// even if the homeserver never answers about most other persons.
func TestUnknownForLong(t *testing.T) {
	in(t, func(w *world, _ *guard.Guard) {
		all := crowd(40)
		w.enterAll(all)
		w.change(func() {
			w.answer = func(p person, _ int) (bool, error) {
				if slices.Index(all, p) >= 2 {
					return false, errAway
				}
				return p == all[0], nil
			}
		})
		time.Sleep(2 * time.Minute)
		w.wantOn(all[1], false)
		if n := len(w.removed()); n != 1 {
			t.Errorf("removed %d, want one", n)
		}
	})
}

// TestRemovedBefore checks a sweep after the guard has removed 21 persons. If
// the sweep finds one more person to remove, the earlier removals count, and
// the brake engages. If it finds nobody, the brake does not engage.
func TestRemovedBefore(t *testing.T) {
	for _, others := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d others", others), func(t *testing.T) {
			in(t, func(w *world, _ *guard.Guard) {
				all := crowd(63)
				w.enterAll(all)
				for _, p := range all[:21] {
					w.setJoined(p, false)
				}
				time.Sleep(10 * time.Second)
				for _, p := range all[25:] {
					w.leave(p.call(), p.identity())
				}
				for _, p := range all[21 : 21+others] {
					w.setJoined(p, false)
				}
				time.Sleep(30 * time.Second)
				if n := len(w.removed()); n != 21 {
					t.Errorf("%d others: removed %d, want 21", others, n)
				}
				if n := w.log.Count(tripped); n != others {
					t.Errorf("%d others: %d error lines, want as many", others, n)
				}
			})
		})
	}
}
