package presence

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

// LiveKit answers from its records. The records of a killed node stay while
// anybody is in the room, and an emptied Redis has no records of those who are
// connected. So a participant's own node is asked, too: if an answer is in
// doubt ([leave.Job.Doubts]), if somebody has joined the room or a question
// about it has failed since, and at every fourth look into the room.

const (
	// nodeTime bounds a question to a node. A refusal comes after 3 s.
	nodeTime = 5 * time.Second
	// shortTime is enough for a node that holds the session: it answers within
	// milliseconds, unless it is slow.
	shortTime = 500 * time.Millisecond
	// mostAtOnce bounds the running questions to nodes, separately for single
	// participants and for rooms. Each holds one of 128 connections to the SFU.
	// shortAtOnce bounds those in slight doubt, which do not wait for the others:
	// when thousands leave at once, each holds a place for half a second.
	mostAtOnce  = 24
	shortAtOnce = 64
	// looksPerQuestion is the number of looks into a room per question to each
	// node.
	looksPerQuestion = 4
	// routinePause is the least time between two questions without a known loss:
	// 25 a second. If a question would be late by routineWait, the room counts as
	// in doubt instead.
	routinePause = time.Second / 25
	routineWait  = 5 * time.Second
	// lossTime is how long after a refusal that pause does not apply.
	lossTime = time.Minute
	// doubtTime is how long after somebody has joined a room its nodes are asked.
	// Others may rejoin with them after the loss of a node.
	doubtTime = time.Second
	// lookTime is the longest time until the next look for a connected
	// participant with looks of their own.
	lookTime = time.Minute
	maxRooms = 1 << 14 // the most rooms remembered; one more clears all
)

// nodes decides when to ask which nodes. The zero value is ready.
type nodes struct {
	one, short, many places

	mu      sync.Mutex
	doubted map[sfu.Room]doubted // rooms whose nodes must be asked
	next    time.Time            // when the next question without a known loss may be asked
	lost    time.Time            // when a node last refused
}

// doubted is since when a room is in doubt, and when it was last put in doubt.
type doubted struct{ since, last time.Time }

// Doubt makes the keeper soon ask the node of the participant who has been in
// room for longest.
func (p *Presence) Doubt(room sfu.Room) { p.nodes.doubt(room, p.Clock.Now()) }

func (n *nodes) doubt(room sfu.Room, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.doubted == nil || len(n.doubted) >= maxRooms {
		n.doubted = map[sfu.Room]doubted{}
	}
	d, ok := n.doubted[room]
	if !ok {
		d.since = now
	}
	d.last = now
	n.doubted[room] = d
}

// Doubted returns the rooms in doubt, with the time when they were last put in
// doubt. It returns each once, a second after it was first put in doubt, even
// if somebody joins all the time.
func (p *Presence) Doubted() map[sfu.Room]time.Time {
	n, now := &p.nodes, p.Clock.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	due := map[sfu.Room]time.Time{}
	for room, d := range n.doubted {
		if now.Sub(d.since) >= doubtTime {
			due[room] = d.last
			delete(n.doubted, room)
		}
	}
	return due
}

// isFourth reports whether a look at now is the one in four that asks nodes, if
// looks come every every. It counts looks by the time, so that all processes
// that share the rooms agree.
func isFourth(room sfu.Room, now time.Time, every time.Duration) bool {
	h := fnv.New64a()
	h.Write([]byte(room)) // spreads the questions of different rooms
	every = max(every, time.Millisecond)
	four := looksPerQuestion * every
	now = now.Add(time.Duration(h.Sum64() % uint64(four)))
	late := every / 8 // how late a look may be without being missed
	return now.Sub(now.Truncate(four)) <= every+late
}

// lose records that a node was lost.
func (n *nodes) lose(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = now
}

// turn returns how long a question without a known loss must wait. It reports
// false if that is too long.
func (n *nodes) turn(now time.Time) (wait time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.lost.IsZero() && now.Sub(n.lost) < lossTime {
		return 0, true
	}
	if n.next.Before(now) {
		n.next = now
	}
	wait = n.next.Sub(now)
	if wait > routineWait {
		return 0, false
	}
	n.next = n.next.Add(routinePause)
	return wait, true
}

// awaitTurn waits for the turn of such a question. It reports false if that
// would take too long.
func (p *Presence) awaitTurn(ctx context.Context) bool {
	wait, ok := p.nodes.turn(p.Clock.Now())
	return ok && (wait == 0 || timing.Sleep(ctx, wait))
}
