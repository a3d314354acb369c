package presence

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/sfu"
)

// TestFourthLook calls isFourth again and again, as the keeper does when it asks who is
// in a room. Of five calls in a row, at least one must report true, even if each call
// is a little late. Not many more than a quarter of all calls may report true.
func TestFourthLook(t *testing.T) {
	const every, looks, rooms = time.Minute, 200, 200
	for _, late := range []time.Duration{0, time.Second, 7 * time.Second} {
		t.Run(fmt.Sprintf("%v late", late), func(t *testing.T) {
			asked := 0
			for n := range rooms {
				room, at := sfu.Room(fmt.Sprint("room", n)), time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
				since := 0
				for range looks {
					at = at.Add(every + late)
					if since++; isFourth(room, at, every) {
						since, asked = 0, asked+1
					}
					if since > looksPerQuestion {
						t.Fatalf("%s, looks %v late: got %d looks in a row without a question, want at most %v", room, late, since, looksPerQuestion)
					}
				}
			}
			if most := rooms * looks * 3 / 10; asked > most {
				t.Errorf("looks %v late: got %d questions in %d looks, want at most %d", late, asked, rooms*looks, most)
			}
		})
	}
}

// TestTurn checks that routine questions are at least routinePause apart, and that none
// waits longer than routineWait. After the loss of a node, questions must not wait.
func TestTurn(t *testing.T) {
	var n nodes
	now := time.Now()
	for i := range 126 {
		wait, ok := n.turn(now)
		if want := time.Duration(i) * routinePause; wait != want || !ok {
			t.Fatalf("routine question %d: got a wait of %v, and asked: %t; want a wait of %v", i, wait, ok, want)
		}
	}
	if wait, ok := n.turn(now); ok {
		t.Errorf("a question behind 5 s of routine questions: got a wait of %v, want it not to be asked", wait)
	}
	n.lose(now)
	if wait, ok := n.turn(now); !ok || wait > 0 {
		t.Errorf("right after a loss: got a wait of %v, and asked: %t; want the question to be asked at once", wait, ok)
	}
	if _, ok := n.turn(now.Add(lossTime)); !ok {
		t.Error("a minute after the loss: the question is not asked, want it asked")
	}
}

// TestPlanned checks that Planned returns each planned room once, and not more than
// maxRooms rooms.
func TestPlanned(t *testing.T) {
	var p Presence
	for range 2 {
		for i := range maxRooms + 10 {
			p.nodes.plan(sfu.Room(fmt.Sprint("room", i)))
		}
	}
	got := map[sfu.Room]int{}
	for room, ok := p.Planned(); ok; room, ok = p.Planned() {
		got[room]++
	}
	if len(got) != maxRooms {
		t.Errorf("planned rooms: got %d of %d, want %d", len(got), maxRooms+10, maxRooms)
	}
	for room, n := range got {
		if n != 1 {
			t.Errorf("%s: got it %d times, want once", room, n)
		}
	}
}
