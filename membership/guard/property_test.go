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
	// longest is two sweeps: 30 s and a tenth each, and what they take.
	longest = 2*33*time.Second + 10*time.Second
)

// TestProperty: nobody who is joined is ever removed. Nobody who is not stays for
// longer than two sweeps while answers come. Both hold where each person is asked
// about, and where an account asks for the members of rooms.
func TestProperty(t *testing.T) {
	seeds := 10
	if testing.Short() {
		seeds = 5
	}
	for name, lists := range map[string]bool{"persons": false, "rooms": true} {
		for seed := range seeds {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newModel(t, uint64(seed))
					m.lists = lists
					m.live(t)
				})
			})
		}
	}
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		world: newWorld(t), random: rand.New(rand.NewPCG(seed, 1)), people: crowd(30),
		board: &guard.Local{}, since: map[person]time.Time{}, fit: time.Now(),
	}
	for _, p := range m.people {
		m.since[p] = time.Now()
	}
	return m
}

func (m *model) live(t *testing.T) {
	for range 2 {
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
	g.Board, g.Holder, g.Shared, g.Jitter = m.board, fmt.Sprint(m.starts), true, nil
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
	switch p := m.anyone(); m.random.IntN(21) {
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
		m.change(func() { m.takes = time.Duration(m.random.Int64N(int64(300 * time.Millisecond))) })
	case 19:
		i := m.random.IntN(len(m.guards))
		m.ends[i]()
		m.guards = append(m.guards[:i], m.guards[i+1:]...)
		m.ends = append(m.ends[:i], m.ends[i+1:]...)
		m.start(t)
	case 20:
		m.unsee(p.room)
	}
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
		m.anyGuard().Changed(p.room, p.user)
	}
}

func (m *model) tell(t *testing.T, e sfu.Event) {
	if err := m.anyGuard().Report(t.Context(), e); err != nil {
		t.Error(err)
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
		if m.joined[r.who] && r.at.Sub(m.since[r.who]) > tolerated {
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
			stayed := min(time.Since(m.since[p]), time.Since(one.Since), time.Since(m.fit))
			if !m.joined[p] && !m.unseen[p.room] && stayed > longest {
				m.t.Fatalf("%s has been on the SFU for %s without being joined", p.user, stayed)
			}
		}
	}
}
