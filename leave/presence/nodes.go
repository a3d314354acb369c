package presence

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

// LiveKit answers from its records. Those of a node that was killed stay while
// anybody is in the room, and a Redis that was emptied has none of those who are
// there. So a participant's own node is asked, too: when a is in doubt
// ([leave.Job.Doubts]), when somebody has joined the room or a question about
// it has failed since, and at every fourth look into the room.

const (
	// nodeTime is how long a node may take; a refusal comes after 3 s.
	nodeTime = 5 * time.Second
	// shortTime is how long a node may take that has the participant: some
	// milliseconds, unless it is slow.
	shortTime = 500 * time.Millisecond
	// mostAtOnce bounds the questions to nodes that are asked at once by each
	// kind of look: for one participant, and into rooms. One holds a connection
	// to the SFU, of which there are 128. shortAtOnce are those in slight doubt:
	// they do not wait for the others, and when thousands leave at once each of
	// them takes half a second of one.
	mostAtOnce  = 24
	shortAtOnce = 64
	// looksPerQuestion is how many looks into a room there are for one question
	// to each node.
	looksPerQuestion = 4
	// routinePause is the least time between two questions that no loss calls
	// for: 25 a second. Where they would be late by routineWait, the room counts
	// as in doubt instead.
	routinePause = time.Second / 25
	routineWait  = 5 * time.Second
	// lossTime is how long after a refusal questions need not be routine.
	lossTime = time.Minute
	// doubtTime is how long after somebody has joined a room its nodes are
	// asked: others may join with them, after the loss of a node.
	doubtTime = time.Second
	// lookTime is how far ahead the next look for somebody is at most who is
	// looked for alone while connected.
	lookTime = time.Minute
	maxRooms = 1 << 14 // remembered; one more makes room by forgetting all
)

// nodes knows when to ask the nodes of whom. The zero value is ready.
type nodes struct {
	one, short, many slots

	mu      sync.Mutex
	doubted map[sfu.Room]doubted // rooms whose nodes are to be asked
	next    time.Time            // when the next routine question may be asked
	lost    time.Time            // when a node last refused
}

// doubted is since when a room is in doubt, and when it last came into doubt.
type doubted struct{ since, last time.Time }

// Doubt has the node of whoever has been in room for longest asked soon.
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

// Doubted returns the rooms in doubt, and when they last came into it. It returns
// each once, a second after the first time: in a room where somebody comes every
// moment, too.
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

// isFourth reports whether a look into room at now, every after the one before,
// is that one of four in which nodes are asked. Looks are counted by the time, so
// that all processes that share the rooms agree.
func isFourth(room sfu.Room, now time.Time, every time.Duration) bool {
	h := fnv.New64a()
	h.Write([]byte(room)) // rooms do not have their questions at the same time
	every = max(every, time.Millisecond)
	four := looksPerQuestion * every
	now = now.Add(time.Duration(h.Sum64() % uint64(four)))
	late := every / 8 // as a look may be, so that none is missed
	return now.Sub(now.Truncate(four)) <= every+late
}

// lose notes that a node is gone.
func (n *nodes) lose(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = now
}

// turn says how long a routine question has to wait; false if that is too long.
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

// awaitTurn waits until a routine question may be asked; false if that would
// take too long.
func (p *Presence) awaitTurn(ctx context.Context) bool {
	wait, ok := p.nodes.turn(p.Clock.Now())
	return ok && (wait == 0 || sleep(ctx, wait))
}
