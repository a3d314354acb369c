package presence

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

// LiveKit answers from its records, which may be wrong. The records of a killed node
// stay while anybody is in the room. If LiveKit's Redis was emptied, the records of
// connected participants are missing. So Presence also asks the participant's node in
// each of the following cases:
//   - An answer is in doubt ([leave.Job.Doubts]).
//   - Somebody has joined the room, or a question about the room has failed.
//   - The keeper asks who is in the room, and has asked three times without the nodes
//     (looksPerQuestion).

const (
	// nodeTime is how long a question to a node may take. LiveKit takes 3 s to say that
	// no node holds the session.
	nodeTime = 5 * time.Second
	// shortTime is how long a question to a node may take if the doubt about the SFU's
	// answer is slight ([leave.SlightDoubt]). A node that holds the session usually
	// answers within milliseconds.
	shortTime = 500 * time.Millisecond
	// mostAtOnce limits how many questions to nodes run at the same time. It applies to
	// the questions about one participant and, separately, to the questions about rooms.
	// Each question uses one of 128 connections to the SFU.
	//
	// shortAtOnce is a separate limit for questions in case of a slight doubt (see
	// shortTime). Without it, these questions would take the places of all others when
	// thousands of participants leave together, because each question then runs for
	// half a second.
	mostAtOnce  = 24
	shortAtOnce = 64
	// looksPerQuestion is 4: every fourth time that the keeper asks who is in a room, it
	// also asks the room's nodes.
	looksPerQuestion = 4
	// A question to a node is routine while no node is known to be lost. routinePause is
	// the shortest time between two routine questions, so there are at most 25 per second.
	// If a routine question would have to wait longer than routineWait, Presence does
	// not ask it, and calls Doubt for the room.
	routinePause = time.Second / 25
	routineWait  = 5 * time.Second
	// lossTime is how long routinePause does not apply after the loss of a node. A node
	// counts as lost from the moment when LiveKit says that no node holds a session.
	lossTime = time.Minute
	// doubtTime is the time between a call of Doubt, for example after a join, and the
	// keeper's question to the room's nodes. If a node was lost, this pause gives its
	// participants time to join again, so that the keeper need not ask about them.
	doubtTime = time.Second
	// If the NextLook of a connected job is less than lookTime ahead, the keeper has
	// planned a question about the job's participant. Without a planned question,
	// NextLook is much later.
	lookTime = time.Minute
	// maxRooms limits the rooms for which Doubt was called. If there is one more,
	// Presence forgets all earlier ones. maxRooms also limits the rooms in the field
	// planned, which wait for AskAll. While it is full, plan adds no room. A room that
	// was not added must be passed to plan again later.
	maxRooms = 1 << 14
)

// nodes decides when the keeper asks LiveKit nodes about a room. The zero value is
// ready to use.
type nodes struct {
	// These fields limit the questions that run at the same time. The field many is for
	// questions about rooms. The other two are for questions about one participant: short
	// if the SFU's answer is only slightly in doubt (leave.SlightDoubt), and one if it is
	// in grave doubt.
	one, short, many places

	mu      sync.Mutex
	doubted map[sfu.Room]doubted // the rooms for which Doubt was called; the keeper must ask their nodes
	planned map[sfu.Room]bool    // the rooms for which the keeper must call AskAll
	next    time.Time            // when Presence may ask the next routine question
	lost    time.Time            // when the SFU last said that no node held a session
}

// doubted holds the times of two calls of Doubt for one room. The field since is the
// first call, and the field last is the last call.
type doubted struct{ since, last time.Time }

// Doubt makes the keeper ask a node about the room soon. It asks the node of the
// participant who has been in the room for the longest time.
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

// Doubted returns the rooms for which Doubt was first called at least doubtTime ago, each
// with the time at which Doubt was last called for it. Doubted forgets the rooms that it
// returns.
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

// plan adds the room to those for which the keeper must call AskAll. Planned returns
// these rooms.
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

// Planned returns a room, chosen at random, for which the keeper must call AskAll.
// After several calls of plan for one room, Planned returns this room only once.
func (p *Presence) Planned() (room sfu.Room, ok bool) {
	p.nodes.mu.Lock()
	defer p.nodes.mu.Unlock()
	for room := range p.nodes.planned {
		delete(p.nodes.planned, room)
		return room, true
	}
	return "", false
}

// isFourth reports whether the keeper must also ask LiveKit nodes about room, when it
// asks the SFU about room at the time now. isFourth is true for one in four questions
// to the SFU. The parameter every is the time between two of these questions. The
// result depends only on the parameters, so all processes that share the rooms get the
// same result.
func isFourth(room sfu.Room, now time.Time, every time.Duration) bool {
	h := fnv.New64a()
	h.Write([]byte(room)) // each room gets a different offset, so that the questions are spread over time
	every = max(every, time.Millisecond)
	four := looksPerQuestion * every
	now = now.Add(time.Duration(h.Sum64() % uint64(four)))
	late := every / 8 // if the one question in four is late by at most this time, isFourth is still true for it
	return now.Sub(now.Truncate(four)) <= every+late
}

// lose records that the SFU has said, at the time now, that no node held a session.
func (n *nodes) lose(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = now
}

// turn returns how long a routine question to a node must wait (see routinePause). It
// reports false if that is longer than routineWait. For lossTime after the loss of a
// node, turn returns 0.
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

// awaitTurn waits until Presence may ask a node a routine question (see routinePause).
// It reports false if the wait would be longer than routineWait, or if ctx ends.
func (p *Presence) awaitTurn(ctx context.Context) bool {
	wait, ok := p.nodes.turn(p.Clock.Now())
	return ok && (wait == 0 || timing.Sleep(ctx, wait))
}
