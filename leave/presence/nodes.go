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
// node stay while anybody is in the room. A Redis that was emptied has no records
// of those who are connected. So in these cases Presence also asks a participant's
// own node:
//   - An answer is in doubt ([leave.Job.Doubts]).
//   - Somebody has joined the room, or a question about the room has failed.
//   - It is every fourth time that the keeper asks who is in the room.

const (
	// nodeTime bounds a question to a node. LiveKit takes 3 s to say that no node
	// holds the session.
	nodeTime = 5 * time.Second
	// shortTime is enough for a node that holds the session: it answers within
	// milliseconds, unless it is slow.
	shortTime = 500 * time.Millisecond
	// mostAtOnce bounds the questions to nodes that run at a time. It bounds the
	// questions about one participant and, separately, the questions about rooms.
	// Each question holds one of 128 connections to the SFU.
	//
	// shortAtOnce is the most questions in slight doubt that run at a time. They
	// have a bound of their own: when thousands leave at once, each such question
	// runs for half a second.
	mostAtOnce  = 24
	shortAtOnce = 64
	// looksPerQuestion says that every fourth time that the keeper asks who is in a
	// room, it also asks the room's nodes.
	looksPerQuestion = 4
	// A question is routine while no loss of a node is known. routinePause is the
	// least time between two routine questions, so there are at most 25 a second.
	// If a routine question must wait longer than routineWait, Presence does not
	// ask it, and calls Doubt for the room.
	routinePause = time.Second / 25
	routineWait  = 5 * time.Second
	// lossTime is how long routinePause does not apply after a node was lost. A
	// node is lost when LiveKit says that no node holds a session.
	lossTime = time.Minute
	// doubtTime is the time from a call of Doubt, for example after a join, until
	// the keeper asks the room's nodes. If their node was lost, other participants
	// may rejoin meanwhile.
	doubtTime = time.Second
	// The keeper asks about some connected participants alone. lookTime is at least
	// as long as any pause until such a question. If no such question is planned,
	// the job's NextLook is later.
	lookTime = time.Minute
	// maxRooms is the most rooms for which Doubt can be called at a time. One more
	// room makes Presence forget all others. maxRooms is also the most rooms that
	// wait for AskAll. A further room must wait until it is planned again.
	maxRooms = 1 << 14
)

// nodes decides when to ask the nodes of a room. The zero value is ready to use.
type nodes struct {
	// These bound the questions at a time: about one participant, in slight doubt
	// about one participant, and about rooms.
	one, short, many places

	mu      sync.Mutex
	doubted map[sfu.Room]doubted // rooms whose nodes must be asked
	planned map[sfu.Room]bool    // rooms for which the keeper must call AskAll
	next    time.Time            // when the next routine question may be asked
	lost    time.Time            // when the SFU last said that no node held a session
}

// doubted holds when Doubt was called for a room: since is the first call, and last
// is the last call.
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

// Doubted returns the rooms for which Doubt was first called at least doubtTime
// ago. The value is the time of the last call for that room. Doubted does not
// return these rooms again until Doubt is called again.
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

// plan makes Planned return the room soon.
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

// Planned returns a room for which the keeper must call AskAll, chosen at random.
// It returns the room once, even if plan was called for the room several times.
func (p *Presence) Planned() (room sfu.Room, ok bool) {
	p.nodes.mu.Lock()
	defer p.nodes.mu.Unlock()
	for room := range p.nodes.planned {
		delete(p.nodes.planned, room)
		return room, true
	}
	return "", false
}

// The keeper asks who is in a room once in the time every (a look). isFourth
// reports whether the look at now is the one in four that also asks nodes. The
// answer depends only on the room and the time, so that all processes that share
// the rooms agree.
func isFourth(room sfu.Room, now time.Time, every time.Duration) bool {
	h := fnv.New64a()
	h.Write([]byte(room)) // each room begins at another time, so that the questions spread
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
// would be longer than routineWait. For lossTime after a node was lost, turn
// returns 0.
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
