package guard_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
)

// longestList is how long the guard can go on reading a member list after nobody
// waits for that list any more.
const longestList = 10 * time.Second

// inRooms is like the function in, but its guard asks for the member lists of
// whole rooms.
func inRooms(t *testing.T, test func(w *world, g *guard.Guard), change ...func(*guard.Guard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.guard()
		w.byRoom(g)
		for _, c := range change {
			c(g)
		}
		end := run(t, g)
		test(w, g)
		end()
		time.Sleep(longestList)
	})
}

// listed returns how many member lists the guard has requested.
func (w *world) listed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lists
}

// members returns n persons in one room.
func members(room string, n int) (all []person) {
	for i := range n {
		all = append(all, personOf(room, fmt.Sprintf("@user%d:example.org", i)))
	}
	return all
}

// TestASweepListsEachRoomOnce checks that a sweep asks about all persons in a
// room with one member list. The guard requests the list a second time only if
// some of these persons are not in it.
func TestASweepListsEachRoomOnce(t *testing.T) {
	inRooms(t, func(w *world, g *guard.Guard) {
		for i := range 5 {
			w.enterAll(members(fmt.Sprint("!room", i), 150))
		}
		gone := members("!room3", 150)[7]
		time.Sleep(10 * time.Second)
		if n := w.listed(); n != 5 {
			t.Errorf("got %d lists for 5 rooms, want 5", n)
		}
		w.setJoined(gone, false)
		time.Sleep(30 * time.Second)
		if n := w.listed(); n != 11 {
			t.Errorf("%d lists in two sweeps and for one who is gone, want 11", n)
		}
		w.wantOn(gone, false)
		if removed := w.removed(); len(removed) != 1 {
			t.Errorf("removed %v, want one", removed)
		}
		if s := g.Status(); s.Persons != 750 || s.Asked != 1501 || s.Unknown != 0 {
			t.Errorf("got %+v, want 750 persons and 1501 answers", s)
		}
	})
}

// TestRoomsThatTheAccountIsNotIn checks rooms without the account with which
// the guard asks. The guard must remove nobody from these rooms. It must ask
// about all other rooms.
func TestRoomsThatTheAccountIsNotIn(t *testing.T) {
	inRooms(t, func(w *world, g *guard.Guard) {
		var hidden []person
		for i := range 5 {
			all := members(fmt.Sprint("!hidden", i), 60)
			w.enterAll(all)
			w.change(func() { w.unseen[all[0].room] = true })
			hidden = append(hidden, all...)
		}
		for _, p := range hidden[:10] {
			w.setJoined(p, false)
		}
		seen := members("!seen", 3)
		w.enterAll(seen)
		w.setJoined(seen[1], false)
		time.Sleep(10 * time.Second)
		w.wantOn(seen[0], true)
		w.wantOn(seen[1], false)
		for _, p := range hidden {
			w.wantOn(p, true)
		}
		if s := g.Status(); s.Unseen != len(hidden) || s.Persons != len(hidden)+3 {
			t.Errorf("got %+v, want %d persons more than %d whom nobody can ask about", s, 3, len(hidden))
		}
		// A join or an event in a room whose members the guard's account cannot see
		// leads to no removal.
		if err := g.Report(t.Context(), w.enter(hidden[0])); err != nil {
			t.Errorf("Report: got %v, want no error", err)
		}
		g.Changed(hidden[0].room, hidden[0].user)
		time.Sleep(time.Second)
		w.wantOn(hidden[0], true)
	})
}

// TestASlowRoomHidesNoOther checks that a sweep still asks about other rooms if
// the member list of one room never comes in time.
func TestASlowRoomHidesNoOther(t *testing.T) {
	inRooms(t, func(w *world, _ *guard.Guard) {
		w.enterAll(members("!room", 200))
		w.enterAll(members("!other", 3))
		gone := personOf("!other", "@gone:example.org")
		w.enter(gone)
		w.change(func() { w.slow = members("!room", 1)[0].room })
		time.Sleep(40 * time.Second)
		w.wantOn(gone, false)
		if removed := w.removed(); len(removed) != 1 {
			t.Errorf("removed %v, want one", removed)
		}
	})
}

// TestACrowdJoins checks that the guard requests few member lists if many
// persons join a conference at the same time.
func TestACrowdJoins(t *testing.T) {
	inRooms(t, func(w *world, g *guard.Guard) {
		w.change(func() { w.takes = 300 * time.Millisecond })
		for _, p := range members("!room", 300) {
			w.setJoined(p, true)
			if err := g.Report(t.Context(), w.enter(p)); err != nil {
				t.Errorf("Report: got %v, want no error", err)
			}
		}
		time.Sleep(10 * time.Second)
		if n := w.listed(); n > 40 || len(w.removed()) > 0 {
			t.Errorf("%d lists for 300 who join at once, want 40 at most; removed %v", n, w.removed())
		}
	}, noSweeps)
}
