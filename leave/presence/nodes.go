package presence

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

// LiveKit answers from its records, which may be wrong. The records of a killed
// node stay while anybody is in the room, and a Redis that was emptied has no
// records of those who are connected. So Presence asks a participant's own node,
// too: if an answer is in doubt ([leave.Job.Doubts]), if somebody has joined the
// room or a question about the room has failed, and at every fourth look.

const (
	// nodeTime bounds a question to a node. LiveKit takes 3 s to say that no node
	// holds the session.
	nodeTime = 5 * time.Second
	// shortTime is enough for a node that holds the session: it answers within
	// milliseconds, unless it is slow.
	shortTime = 500 * time.Millisecond
	// mostAtOnce is the most questions to nodes at a time: so many about one
	// participant, and as many about rooms. Each question holds one of 128
	// connections to the SFU. shortAtOnce is the most questions in slight doubt at
	// a time. These do not wait for the others: when thousands leave at once, each
	// such question runs for half a second.
	mostAtOnce  = 24
	shortAtOnce = 64
	// looksPerQuestion is how many looks into a room there are for each question to
	// its nodes.
	looksPerQuestion = 4
	// routinePause is the least time between two routine questions, those without
	// a known loss of a node: 25 a second. If a routine question would have to
	// wait longer than routineWait, it is not asked, and the room is put in doubt.
	routinePause = time.Second / 25
	routineWait  = 5 * time.Second
	// For lossTime after a node was lost (no node held a session), routinePause
	// does not apply.
	lossTime = time.Minute
	// doubtTime is the time from a join in a room until the nodes of its
	// participants are asked. If their node was lost, others may rejoin meanwhile.
	doubtTime = time.Second
	// lookTime is the longest planned pause until the next look for one connected
	// participant alone. If the pause would be longer, no such look is planned.
	lookTime = time.Minute
	// maxRooms is the most rooms in doubt; one more removes all others. It is also
	// the most rooms that wait for AskAll; more have to wait for a later look.
	maxRooms = 1 << 14
)

// nodes decides when to ask the nodes of a room. The zero value is ready.
type nodes struct {
	one, short, many places // the places for questions about one participant, for those in slight doubt, and for those about rooms

	mu      sync.Mutex
	doubted map[sfu.Room]doubted // rooms whose nodes must be asked
	planned map[sfu.Room]bool    // rooms about whose participants the nodes are to be asked in turn
	next    time.Time            // when the next routine question may be asked
	lost    time.Time            // when the SFU last said that no node held a session
}

// doubted holds when a room came into doubt, and when it was last put in doubt.
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

// Doubted returns the rooms that have been in doubt for doubtTime, with the time
// at which each was last put in doubt. It also ends the doubt about these rooms.
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

// plan makes Planned return the room.
func (n *nodes) plan(room sfu.Room) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.planned == nil {
		n.planned = map[sfu.Room]bool{}
	}
	if len(n.planned) < maxRooms {
		n.planned[room] = true
	}
}

// Planned returns a room for which AskAll is to be called, chosen at random. It
// returns a room once after one or more fourth looks.
func (p *Presence) Planned() (room sfu.Room, ok bool) {
	p.nodes.mu.Lock()
	defer p.nodes.mu.Unlock()
	for room := range p.nodes.planned {
		delete(p.nodes.planned, room)
		return room, true
	}
	return "", false
}

// isFourth reports whether the look into room at now is the one in four that
// asks nodes. every is the time between two looks. It counts looks by the time,
// so that all processes that share the rooms agree.
func isFourth(room sfu.Room, now time.Time, every time.Duration) bool {
	h := fnv.New64a()
	h.Write([]byte(room)) // a different part of the interval for each room, so that the questions spread
	every = max(every, time.Millisecond)
	four := looksPerQuestion * every
	now = now.Add(time.Duration(h.Sum64() % uint64(four)))
	late := every / 8 // a fourth look that is at most this late still counts as one
	return now.Sub(now.Truncate(four)) <= every+late
}

// lose records that a node was lost.
func (n *nodes) lose(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = now
}

// turn returns how long a routine question must wait. It reports false if the wait
// would be longer than routineWait. After the loss of a node, it returns 0.
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

// awaitTurn waits until a routine question may be asked. It reports false if the
// wait would be longer than routineWait, or if ctx ends.
func (p *Presence) awaitTurn(ctx context.Context) bool {
	wait, ok := p.nodes.turn(p.Clock.Now())
	return ok && (wait == 0 || timing.Sleep(ctx, wait))
}
