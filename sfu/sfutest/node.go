package sfutest

import (
	"errors"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
)

const (
	// heartbeat is the time between two reports of a node to Redis that it is
	// alive.
	heartbeat = 2 * time.Second
	// nodeMemory is how long a node counts as available after its last report.
	nodeMemory = 5 * time.Second
	// idleTime is how often a node looks for rooms whose timeout has passed.
	idleTime = time.Second
	// silentTime is how long LiveKit waits for an answer of another node.
	silentTime = 3 * time.Second
)

// Node is one of several LiveKit servers that share a Redis.
type Node struct {
	sfu *SFU
	id  string

	// sfu.mu guards the fields below.

	rooms               map[sfu.Room]*room // the rooms that the node runs
	empty               map[sfu.Room]*room // all rooms without a session, and possibly rooms that have a session again
	dead, cut, draining bool
	preferred           bool
	// from and until are times. Between them, Redis has a valid report of the
	// node. If until is zero, the report stays valid.
	from, until time.Time
}

// room is a room that a node runs, with its participants.
type room struct {
	Room
	sids map[sfu.Identity]string
	runs time.Time // when this node began to run the room
	left time.Time // when a participant last left; zero if nobody has left
}

// isOver reports whether the room's timeout has passed. If nobody has joined
// yet, the timeout counts from the creation of the room, even if the room has
// moved to this node since. But a node runs each room for idleTime at least.
func (r *room) isOver(now time.Time) bool {
	switch {
	case len(r.sids) > 0:
		return false
	case r.left.IsZero():
		return now.Sub(r.Created) >= r.EmptyTimeout && now.Sub(r.runs) >= idleTime
	}
	return now.Sub(r.left) >= r.DepartureTimeout
}

func newNode(s *SFU, id string) *Node {
	return &Node{sfu: s, id: id, rooms: map[sfu.Room]*room{}, empty: map[sfu.Room]*room{}}
}

// Node returns the node with this id, which must be one of the ids given to
// New.
func (s *SFU) Node(id string) *Node {
	i := slices.IndexFunc(s.nodes, func(n *Node) bool { return n.id == id })
	if i < 0 {
		panic("sfutest: no node " + id)
	}
	return s.nodes[i]
}

// change locks the SFU, closes the rooms whose timeout has passed, and calls the
// function do, which changes the node.
func (n *Node) change(do func(now time.Time)) {
	n.sfu.mu.Lock()
	defer n.sfu.mu.Unlock()
	n.sfu.expire()
	do(time.Now())
}

// Kill ends the node suddenly, like a crash. Its sessions end without webhooks, and
// its records stay in Redis.
func (n *Node) Kill() {
	n.change(func(now time.Time) {
		n.lost(now)
		n.dead = true
		clear(n.rooms)
	})
}

// Start starts a killed or stopped node again, with its old id.
func (n *Node) Start() {
	n.change(func(now time.Time) {
		n.dead, n.cut, n.draining = false, false, false
		n.from, n.until = now, time.Time{}
	})
}

// Drain makes the node accept no new rooms, like the first SIGTERM to LiveKit.
func (n *Node) Drain() {
	n.change(func(time.Time) { n.draining = true })
}

// Stop shuts the node down, like the second SIGTERM to LiveKit. It returns the
// webhooks that LiveKit sends, one for each session.
func (n *Node) Stop() (reports []*livekit.WebhookEvent) {
	n.change(func(now time.Time) {
		for name, r := range n.rooms {
			for identity, sid := range r.sids {
				reports = append(reports, n.sfu.departure(name, identity, sid, livekit.DisconnectReason_SERVER_SHUTDOWN))
			}
			n.close(name)
		}
		n.dead, n.until = true, now // a node that stops deletes its own report from Redis
	})
	return reports
}

// Partition cuts the node off from Redis until Heal. Its sessions go on.
func (n *Node) Partition() {
	n.change(func(now time.Time) {
		n.lost(now)
		n.cut = true
	})
}

// Heal connects a node to Redis again after Partition.
func (n *Node) Heal() {
	n.change(func(now time.Time) {
		n.cut = false
		if !n.isAvailable(now) {
			n.from = now.Add(heartbeat)
		}
		n.until = time.Time{}
	})
}

// Session returns the sid of the session of identity on this node, even if the
// records in Redis say otherwise. It returns "" if the node holds no such
// session.
func (n *Node) Session(name sfu.Room, identity sfu.Identity) (sid string) {
	n.change(func(time.Time) {
		if r := n.rooms[name]; r != nil {
			sid = r.sids[identity]
		}
	})
	return sid
}

// Prefer makes the SFU choose this node for new rooms while the node is available.
// Without Prefer, the fake chooses the first available node, but LiveKit may choose
// any available node.
func (n *Node) Prefer() {
	n.change(func(time.Time) {
		for _, other := range n.sfu.nodes {
			other.preferred = other == n
		}
	})
}

// This method records that the node no longer reports to Redis. The node's last
// report stays valid for nodeMemory.
func (n *Node) lost(now time.Time) {
	if n.answers() {
		n.until = now.Add(nodeMemory)
	}
}

// This method records that Redis no longer has a report of the node. If the node
// answers other nodes, it sends its next report after the time heartbeat.
func (n *Node) forgotten() {
	now := time.Now()
	if n.answers() {
		n.from = now.Add(heartbeat)
		return
	}
	n.until = now
}

// answers reports whether the node answers other nodes.
func (n *Node) answers() bool { return !n.dead && !n.cut }

// isAvailable reports whether the other nodes count this node as available.
func (n *Node) isAvailable(now time.Time) bool {
	return !now.Before(n.from) && (n.until.IsZero() || now.Before(n.until))
}

// run returns the room called wanted.Name on this node. If the node does not
// run that room yet, run starts it from the record in Redis. If there is no
// record, run starts the room from wanted, and writes wanted into the record.
func (n *Node) run(wanted Room) *room {
	if r, ok := n.rooms[wanted.Name]; ok {
		return r
	}
	recorded, ok := n.sfu.records.rooms[wanted.Name]
	if !ok {
		recorded = wanted
		n.sfu.records.rooms[wanted.Name] = wanted
	}
	r := &room{Room: recorded, sids: map[sfu.Identity]string{}, runs: time.Now()}
	n.rooms[wanted.Name], n.empty[wanted.Name] = r, r
	return r
}

// close ends a room on the node. It deletes the room's record, even if another node
// wrote that record, unless this node is cut off from LiveKit's Redis.
func (n *Node) close(name sfu.Room) {
	delete(n.rooms, name)
	if !n.cut {
		n.sfu.records.remove(name)
	}
}

// end ends a session on the node. Like LiveKit, it also deletes the record of the
// identity, even if this record is of a newer session.
func (n *Node) end(name sfu.Room, identity sfu.Identity) {
	r := n.rooms[name]
	delete(r.sids, identity)
	r.left = time.Now()
	if len(r.sids) == 0 {
		n.empty[name] = r
	}
	if n.cut {
		return
	}
	delete(n.sfu.records.sessions[name], identity)
	n.sfu.records.rooms[name] = r.Room // LiveKit writes this record when the number of participants changes
}

// remove ends a session for RemoveParticipant or DeleteRoom, and records a
// Removal.
func (n *Node) remove(name sfu.Room, identity sfu.Identity, revoke int64) {
	sid := n.rooms[name].sids[identity]
	report := n.sfu.departure(name, identity, sid, livekit.DisconnectReason_PARTICIPANT_REMOVED)
	n.end(name, identity)
	n.sfu.removals = append(n.sfu.removals, Removal{name, identity, sid, revoke, report})
}

// errNoNodes says that no node is available for a room. errSilent says that the
// room's node does not answer.
var (
	errNoNodes = errors.New("could not find any available nodes")
	errSilent  = errors.New("no response from servers")
)

// host returns the node that runs a room. If no node runs the room, or if that
// node is not available, host assigns the room to another node.
func (s *SFU) host(name sfu.Room) (*Node, error) {
	now := time.Now()
	n := s.records.hosts[name]
	if n == nil || !n.isAvailable(now) {
		if n = s.selectNode(now); n == nil {
			return nil, errNoNodes
		}
		s.records.hosts[name] = n
	}
	if !n.answers() {
		return nil, errSilent
	}
	return n, nil
}

func (s *SFU) selectNode(now time.Time) (selected *Node) {
	for _, n := range s.nodes {
		if n.isAvailable(now) && !n.draining && (selected == nil || n.preferred) {
			selected = n
		}
	}
	return selected
}

// someNode reports whether the function match returns true for at least one node.
func (s *SFU) someNode(match func(*Node) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.nodes, match)
}

// expire closes the rooms whose timeout has passed. It checks only the rooms in
// Node.empty, because all other rooms have a session.
func (s *SFU) expire() {
	now := time.Now()
	for _, n := range s.nodes {
		for name, r := range n.empty {
			if n.rooms[name] != r || len(r.sids) > 0 {
				delete(n.empty, name)
			} else if r.isOver(now) {
				n.close(name)
			}
		}
	}
}
