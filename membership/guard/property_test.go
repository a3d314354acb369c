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

// model is a random history of a world that has one or two replicas.
type model struct {
	*world
	random *rand.Rand
	people []person
	guards []*guard.Guard
	ends   []func()
	board  guard.Board
	starts int
	// lists says that the guards ask for the member lists of whole rooms.
	lists bool
	// alone says that there is only one process, which gets all reports and
	// events. The homeserver pushes events, so sweeps may be rare.
	alone bool

	// told maps each person to the time when the homeserver last pushed an event
	// about them.
	told map[person]time.Time
	// since maps each person to the time when they last joined or left the Matrix
	// room.
	since map[person]time.Time
	// fit is when the last outage ended. Since then, the SFU and the homeserver have
	// answered all calls.
	fit    time.Time
	events []sfu.Event // the reports so far, including those that were lost
}

const (
	// tolerated is how long the guard may still remove a person who has joined
	// again, because the homeserver's answer "no" may be that old.
	tolerated = 6 * time.Second
	// onItsWay replaces the limit tolerated if the homeserver pushed an event about
	// the join. The guard may already be removing the person when the event comes.
	onItsWay = time.Second
	// skew is how much the clocks of LiveKit and of the replicas may differ.
	skew = 25 * time.Second
)

// longest returns the longest time until two further sweeps have begun and ended.
// This is the sum of two intervals and 10 s for the sweeps themselves. An interval
// is at most 33 s (30 s and a tenth more) or, if the homeserver pushes events to
// a single process, at most 11 min (10 min and a tenth more).
func (m *model) longest() time.Duration {
	if m.alone {
		return 2*11*time.Minute + 10*time.Second
	}
	return 2*33*time.Second + 10*time.Second
}

// TestProperty checks two properties in random histories. The guard never
// removes a person who is joined. A person who is not joined stays for at most
// two sweeps, while the homeserver and the SFU answer. Both properties must
// hold for replicas that ask the homeserver about persons, for replicas that ask
// it about rooms, and for one process to which the homeserver pushes events.
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

// start starts one more replica of the guard.
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

// step does one random thing.
func (m *model) step(t *testing.T) {
	switch p := m.anyone(); m.random.IntN(22) {
	case 0, 1, 2, 3:
		m.become(p, true)
	case 4, 5:
		m.become(p, false)
	case 6, 7, 8, 9, 10, 11: // the person enters with a token from a time when they were joined
		e := m.enter(p)
		m.events = append(m.events, e)
		if m.random.IntN(3) > 0 {
			m.tell(t, e)
		}
	case 12:
		m.events = append(m.events, m.beside(p, "screen"))
	case 13:
		m.leave(p.call(), p.identity())
	case 14: // repeat an old report
		if len(m.events) > 0 {
			m.tell(t, m.events[m.random.IntN(len(m.events))])
		}
	case 15: // repeat an old event
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

// setClocks sets two clocks to random times: LiveKit's clock, and the clock of
// the replica that issues tokens.
func (m *model) setClocks() {
	m.change(func() {
		m.ahead = time.Duration(m.random.Int64N(int64(2*skew))) - skew
		m.issued = time.Duration(m.random.Int64N(int64(2*skew))) - skew
	})
}

// unsee hides a Matrix room from the guards for some time: the account whose member
// lists they read leaves the room.
func (m *model) unsee(room matrix.RoomID) {
	if m.lists {
		m.outage(func(down bool) { m.unseen[room] = down })
	}
}

// become makes p join or leave the Matrix room. In three of four cases, the
// homeserver also tells a guard about this change.
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

// outage makes the SFU or the homeserver fail for up to two minutes.
func (m *model) outage(set func(down bool)) {
	m.change(func() { set(true) })
	time.Sleep(time.Duration(m.random.Int64N(int64(2 * time.Minute))))
	m.check()
	m.change(func() { set(false); m.fit = time.Now() })
}

// check checks the removals since the last check, and who is on the SFU.
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
