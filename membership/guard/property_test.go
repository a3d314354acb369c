package guard_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/sfu"
)

// model is a random history of a world with two replicas.
type model struct {
	*world
	random *rand.Rand
	people []person
	guards []*guard.Guard
	ends   []func()
	board  guard.Board
	starts int
	// lists says that the homeserver lists the members of rooms.
	lists bool
	// alone says that one process hears all that is told, and that the homeserver
	// pushes, so that sweeps may be seldom.
	alone bool

	// told is when an event of each person was last pushed.
	told map[person]time.Time
	// since is when each person last changed between joined and not joined.
	since map[person]time.Time
	// fit is since when both sides have answered without a break.
	fit    time.Time
	events []sfu.Event // reports, also those that were lost
}

const (
	// tolerated is how long a membership may have been given back, and its
	// bearer be removed all the same: the age of a no.
	tolerated = 6 * time.Second
	// onItsWay is the same, where the event of it has come: the time of a removal
	// that has begun.
	onItsWay = time.Second
	// skew is how far the clocks of LiveKit and of replicas may be off.
	skew = 25 * time.Second
)

// longest is two sweeps and what they take: 30 s and a tenth each, 10 min with
// pushes.
func (m *model) longest() time.Duration {
	if m.alone {
		return 2*11*time.Minute + 10*time.Second
	}
	return 2*33*time.Second + 10*time.Second
}

// TestProperty: nobody who is joined is ever removed. Nobody who is not stays for
// longer than two sweeps while answers come. Both hold where each person is asked
// about, and where an account asks for the members of rooms; for replicas, and for
// one process with pushes; and whatever the clocks say.
func TestProperty(t *testing.T) {
	seeds := 10
	if testing.Short() {
		seeds = 5
	}
	for name, set := range map[string]func(*model){
		"persons": func(*model) {},
		"rooms":   func(m *model) { m.lists = true },
		"alone":   func(m *model) { m.alone = true },
	} {
		for seed := range seeds {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newModel(t, uint64(seed))
					set(m)
					m.live(t)
				})
			})
		}
	}
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		world: newWorld(t), random: rand.New(rand.NewPCG(seed, 1)), people: crowd(30),
		board: &guard.Local{}, since: map[person]time.Time{}, told: map[person]time.Time{}, fit: time.Now(),
	}
	for _, p := range m.people {
		m.since[p] = time.Now()
	}
	return m
}

func (m *model) live(t *testing.T) {
	m.start(t)
	if !m.alone {
		m.start(t)
	}
	for range 800 {
		m.step(t)
		time.Sleep(time.Duration(m.random.Int64N(int64(2 * time.Second))))
		m.check()
	}
	for _, end := range m.ends {
		end()
	}
	time.Sleep(longestList)
}

// start starts a replica.
func (m *model) start(t *testing.T) {
	g := m.world.guard()
	m.starts++
	g.Board, g.Holder, g.Shared, g.Jitter = m.board, fmt.Sprint(m.starts), !m.alone, nil
	g.Pushed = func() bool { return m.alone }
	g.Log = slog.New(slog.DiscardHandler)
	if m.lists {
		m.world.byRoom(g)
	}
	m.guards = append(m.guards, g)
	m.ends = append(m.ends, run(t, g))
}

func (m *model) anyone() person { return m.people[m.random.IntN(len(m.people))] }

func (m *model) anyGuard() *guard.Guard { return m.guards[m.random.IntN(len(m.guards))] }

// step lets one thing happen.
func (m *model) step(t *testing.T) {
	switch p := m.anyone(); m.random.IntN(22) {
	case 0, 1, 2, 3:
		m.become(p, true)
	case 4, 5:
		m.become(p, false)
	case 6, 7, 8, 9, 10, 11: // they got a token while they were joined
		e := m.enter(p)
		m.events = append(m.events, e)
		if m.random.IntN(3) > 0 {
			m.tell(t, e)
		}
	case 12:
		m.events = append(m.events, m.beside(p, "screen"))
	case 13:
		m.leave(p.call(), p.identity())
	case 14: // an old report once more
		if len(m.events) > 0 {
			m.tell(t, m.events[m.random.IntN(len(m.events))])
		}
	case 15: // an old event once more
		m.anyGuard().Changed(p.room, p.user)
	case 16:
		m.outage(func(down bool) { m.silent = down })
	case 17:
		m.outage(func(down bool) {
			m.sfuFails = nil
			if down {
				m.sfuFails = func(string, sfu.Room) bool { return true }
			}
		})
	case 18:
		m.change(func() {
			m.takes = time.Duration(m.random.Int64N(int64(300 * time.Millisecond)))
			m.sfuTakes = time.Duration(m.random.Int64N(int64(2 * time.Second)))
		})
	case 19:
		i := m.random.IntN(len(m.guards))
		m.ends[i]()
		m.guards = append(m.guards[:i], m.guards[i+1:]...)
		m.ends = append(m.ends[:i], m.ends[i+1:]...)
		m.start(t)
	case 20:
		m.unsee(p.room)
	case 21:
		m.setClocks()
	}
}

// setClocks sets the clock of LiveKit, and that of whoever issues tokens.
func (m *model) setClocks() {
	m.change(func() {
		m.ahead = time.Duration(m.random.Int64N(int64(2*skew))) - skew
		m.issued = time.Duration(m.random.Int64N(int64(2*skew))) - skew
	})
}

// unsee has the account leave a room for a while.
func (m *model) unsee(room matrix.RoomID) {
	if m.lists {
		m.outage(func(down bool) { m.unseen[room] = down })
	}
}

// become has p join the Matrix room or leave it; most events are pushed.
func (m *model) become(p person, joined bool) {
	m.change(func() {
		if m.joined[p] != joined {
			m.joined[p], m.since[p] = joined, time.Now()
		}
	})
	if m.random.IntN(4) > 0 {
		m.told[p] = time.Now()
		m.anyGuard().Changed(p.room, p.user)
	}
}

func (m *model) tell(t *testing.T, e sfu.Event) {
	if err := m.anyGuard().Report(t.Context(), e); err != nil {
		t.Errorf("Report: got %v, want no error", err)
	}
}

// outage has one side fail for up to two minutes.
func (m *model) outage(set func(down bool)) {
	m.change(func() { set(true) })
	time.Sleep(time.Duration(m.random.Int64N(int64(2 * time.Minute))))
	m.check()
	m.change(func() { set(false); m.fit = time.Now() })
}

// check judges what was removed since, and who is on.
func (m *model) check() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.removals {
		most := tolerated
		if m.alone && !m.told[r.who].Before(m.since[r.who]) {
			most = onItsWay
		}
		if m.joined[r.who] && r.at.Sub(m.since[r.who]) > most {
			m.t.Fatalf("%s was removed, and had been joined for %s", r.who.user, r.at.Sub(m.since[r.who]))
		}
	}
	m.removals = nil
	if m.silent || m.sfuFails != nil {
		return
	}
	for _, room := range m.rooms {
		for _, one := range room {
			p := m.owners[one.Session]
			stayed := min(time.Since(m.since[p]), time.Since(m.entered[one.Session]), time.Since(m.fit))
			if !m.joined[p] && !m.unseen[p.room] && stayed > m.longest() {
				m.t.Fatalf("%s has been on the SFU for %s without being joined", p.user, stayed)
			}
		}
	}
}
