package presence

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/sfu"
)

// TestFourthLook: looks come every interval or a little later. Of four in a row
// at least one is the fourth, and of all of them not many more than every fourth.
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
						t.Fatalf("%s, looks %v late: got %d without a question, want at most %v", room, late, since, looksPerQuestion)
					}
				}
			}
			if most := rooms * looks * 3 / 10; asked > most {
				t.Errorf("looks %v late: %d questions in %d looks, want at most %d", late, asked, rooms*looks, most)
			}
		})
	}
}

// TestTurn: routine questions have a pace, and who would have to wait too long
// asks at the next look; after a loss there is no pace.
func TestTurn(t *testing.T) {
	var n nodes
	now := time.Now()
	for i := range 126 {
		wait, ok := n.turn(now)
		if want := time.Duration(i) * routinePause; wait != want || !ok {
			t.Fatalf("question %d: waits %v, %t, want %v", i, wait, ok, want)
		}
	}
	if wait, ok := n.turn(now); ok {
		t.Errorf("the question after 5 s of them: got a wait of %v, want none to be asked", wait)
	}
	n.lose(now)
	if wait, ok := n.turn(now); !ok || wait > 0 {
		t.Errorf("after a loss: got a wait of %v, %t, want a question at once", wait, ok)
	}
	if _, ok := n.turn(now.Add(lossTime)); !ok {
		t.Error("a minute after the loss: got no question, want one")
	}
}
