package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// town is a world (test set-up) with many members in many rooms.
type town struct {
	*world
	keys    []leave.Key
	session int
}

func newTown(t *testing.T, rooms, perRoom int) *town {
	w := newWorld(t)
	w.join("S1") // without this first participant, the SFU would not have the rooms
	c := &town{world: w}
	c.set(func() { c.gone = map[leave.Key]bool{} })
	for room := range rooms {
		for i := range perRoom {
			k := leave.Key{Room: sfu.Room(fmt.Sprint("room", room)), Identity: sfu.Identity(fmt.Sprint("m", room, ".", i))}
			c.keys = append(c.keys, k)
			id := string(k.Identity)
			c.schedule(id, long)
			job := leave.New(k, user(t), delayID(t, id), long, c.clock.Now())
			if _, err := c.store.Put(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			c.comeAnew(k)
		}
	}
	return c
}

// comeAnew gives a member a new session, and reports this session to the keeper.
func (c *town) comeAnew(k leave.Key) {
	var s string
	c.set(func() {
		c.session++
		s = fmt.Sprint("S", c.session)
		c.present.add(k, s)
		delete(c.gone, k)
	})
	e := sfu.Event{Kind: sfu.KindJoined, Room: k.Room, Identity: k.Identity, Session: s}
	if err := c.current().Report(c.t.Context(), e); err != nil {
		c.t.Error(err)
	}
}

// questions counts the keeper's questions to LiveKit's nodes since the time begin. It
// returns the average number of questions per second, and the largest number of
// questions within any one second.
func (c *town) questions(begin time.Time) (average float64, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, first := 0, 0
	for i, at := range c.reached {
		for at.Sub(c.reached[first]) >= time.Second {
			first++
		}
		if at.After(begin) {
			n, most = n+1, max(most, i-first+1)
		}
	}
	return float64(n) / time.Since(begin).Seconds(), most
}

// TestCostOfNodes checks that the keeper asks LiveKit's nodes at most 25 times a second
// while no node is lost. The limit also holds while members come and go, and right
// after a start.
func TestCostOfNodes(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration // how often one of the members gets a new session; 0 means never
		most  float64       // how many questions to nodes per second the keeper may ask on average
	}{
		{"nobody comes or goes", 0, 24},
		{"three a second come anew", time.Second / 3, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				town := newTown(t, 500, 10)
				town.again(time.Minute)
				begin := time.Now()
				for time.Since(begin) < 10*time.Minute {
					if c.every == 0 {
						time.Sleep(time.Minute)
						continue
					}
					time.Sleep(c.every)
					town.comeAnew(town.keys[rand.N(len(town.keys))])
				}
				average, most := town.questions(begin)
				t.Logf("questions to nodes a second: %.1f on average, %d at most", average, most)
				if average > c.most || most > 26 { // 26 and not 25, because the first question can be at the beginning of a second and the last one at its end
					t.Errorf("questions to nodes a second: got %.1f on average and %d at most, want no more than %v and 26", average, most, c.most)
				}
			})
		})
	}
}

// TestLooksAtManyRooms checks that the keeper asks the SFU once per interval who is in
// each room. In the first case there are too many members to ask nodes about all of
// them. In the second case, members join in more rooms than the keeper can ask nodes
// about.
func TestLooksAtManyRooms(t *testing.T) {
	for _, c := range []struct{ rooms, perRoom int }{{300, 40}, {2000, 2}} {
		t.Run(fmt.Sprint(c.rooms, " rooms of ", c.perRoom), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				town := newTown(t, c.rooms, c.perRoom)
				last, longest := map[sfu.Room]time.Time{}, time.Duration(0)
				town.set(func() {
					town.fault = func(call string, room sfu.Room) error {
						if before, ok := last[room]; ok && call == "Sessions" {
							longest, last[room] = max(longest, time.Since(before)), time.Now()
						}
						return nil
					}
					for _, k := range town.keys {
						last[k.Room] = time.Now()
					}
				})
				time.Sleep(6 * time.Minute)
				town.set(func() {
					for _, at := range last {
						longest = max(longest, time.Since(at))
					}
				})
				t.Logf("the longest time without a look into a room: %v", longest)
				if longest > 75*time.Second {
					t.Errorf("the longest time without a look into a room: got %v, want at most 75 s with an interval of 60 s", longest)
				}
			})
		})
	}
}

// TestLossOfManyMembers kills the node that holds half of all members. Nine of ten come
// back within ten seconds. The leaves of the members who do not come back must be sent
// in time.
func TestLossOfManyMembers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		town := newTown(t, 500, 10)
		time.Sleep(5 * time.Minute)
		lost := town.keys[:len(town.keys)/2]
		began := time.Now()
		town.set(func() {
			for _, k := range lost {
				town.gone[k] = true
			}
		})
		for i, k := range lost {
			if i%10 != 0 {
				time.AfterFunc(rand.N(10*time.Second), func() { town.comeAnew(k) })
			}
		}
		time.Sleep(6 * time.Minute)
		var last time.Duration
		for i, k := range town.keys {
			over, at := town.fate(string(k.Identity))
			want := ""
			if i < len(lost) && i%10 == 0 {
				want, last = "sent", max(last, at.Sub(began))
			}
			if over != want {
				t.Errorf("%s: the leave is %q, want %q", k.Identity, over, want)
			}
		}
		t.Logf("the last of %d leaves was sent after %v", len(lost)/10, last)
		if last > 2*time.Minute {
			t.Errorf("the last leave was sent after %v, want it within 2 min", last)
		}
	})
}
