package sfutest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
)

const (
	// heartbeat is how often a node reports itself to Redis.
	heartbeat = 2 * time.Second
	// nodeMemory is how long after its last report a node is taken for available.
	nodeMemory = 5 * time.Second
	// idleTime is how often a node looks for rooms that are over.
	idleTime = time.Second
	// silentTime is how long LiveKit waits for another node.
	silentTime = 3 * time.Second
)

// Node is one of several LiveKit servers that share a Redis.
type Node struct {
	sfu *SFU
	id  string

	// What follows is guarded by sfu.mu.

	rooms               map[sfu.Room]*room // what it runs
	dead, cut, draining bool
	preferred           bool
	// Redis has a report of it that is good from the one time until the other,
	// for ever if that is zero.
	from, until time.Time
}

// room is a room that a node runs, and who is in it.
type room struct {
	Room
	sids map[sfu.Identity]string
	runs time.Time // since when
	left time.Time // when somebody last left, zero if nobody ever did
}

// isOver counts from the time at which the room was made, even if this node runs
// it since a moment only.
func (r *room) isOver(now time.Time) bool {
	switch {
	case len(r.sids) > 0:
		return false
	case r.left.IsZero():
		return now.Sub(r.Created) >= r.EmptyTimeout && now.Sub(r.runs) >= idleTime
	}
	return now.Sub(r.left) >= r.DepartureTimeout
}

func newNode(s *SFU, id string) *Node { return &Node{sfu: s, id: id, rooms: map[sfu.Room]*room{}} }

// Node returns the node of this id, which New was given.
func (s *SFU) Node(id string) *Node {
	i := slices.IndexFunc(s.nodes, func(n *Node) bool { return n.id == id })
	if i < 0 {
		panic("sfutest: no node " + id)
	}
	return s.nodes[i]
}

// change locks the SFU, ends what is over, and has do change the node.
func (n *Node) change(do func(now time.Time)) {
	n.sfu.mu.Lock()
	defer n.sfu.mu.Unlock()
	n.sfu.expire()
	do(time.Now())
}

// Kill ends the node at once, and its sessions without a report. Its records stay.
func (n *Node) Kill() {
	n.change(func(now time.Time) {
		n.lost(now)
		n.dead = true
		clear(n.rooms)
	})
}

// Start has a node run that was killed or stopped, under its old id.
func (n *Node) Start() {
	n.change(func(now time.Time) {
		n.dead, n.cut, n.draining = false, false, false
		n.from, n.until = now, time.Time{}
	})
}

// Drain keeps rooms that are on no node yet from this one, as the first SIGTERM
// does.
func (n *Node) Drain() {
	n.change(func(time.Time) { n.draining = true })
}

// Stop ends the node in good order, as the second SIGTERM does. It returns what
// LiveKit reports then, one for each session.
func (n *Node) Stop() (reports []*livekit.WebhookEvent) {
	n.change(func(now time.Time) {
		for name, r := range n.rooms {
			for identity, sid := range r.sids {
				reports = append(reports, n.sfu.departure(name, identity, sid, livekit.DisconnectReason_SERVER_SHUTDOWN))
			}
			n.close(name)
		}
		n.dead, n.until = true, now // it takes its own record away
	})
	return reports
}

// Partition cuts the node off from Redis, until Heal. Its sessions go on.
func (n *Node) Partition() {
	n.change(func(now time.Time) {
		n.lost(now)
		n.cut = true
	})
}

// Heal ends a partition.
func (n *Node) Heal() {
	n.change(func(now time.Time) {
		n.cut = false
		if !n.isAvailable(now) {
			n.from = now.Add(heartbeat)
		}
		n.until = time.Time{}
	})
}

// Session returns the sid of the session of identity that the node holds, ""
// for none, whatever the records say.
func (n *Node) Session(name sfu.Room, identity sfu.Identity) (sid string) {
	n.change(func(time.Time) {
		if r := n.rooms[name]; r != nil {
			sid = r.sids[identity]
		}
	})
	return sid
}

// Prefer has the node selected, while it is available, for rooms that are on no
// node. Without it LiveKit selects any; the fake the first that is available.
func (n *Node) Prefer() {
	n.change(func(time.Time) {
		for _, other := range n.sfu.nodes {
			other.preferred = other == n
		}
	})
}

// lost is told that the node reports itself no longer.
func (n *Node) lost(now time.Time) {
	if n.answers() {
		n.until = now.Add(nodeMemory)
	}
}

// forgotten is told that Redis has no good report of the node.
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

// isAvailable reports whether others take the node for available.
func (n *Node) isAvailable(now time.Time) bool {
	return !now.Before(n.from) && (n.until.IsZero() || now.Before(n.until))
}

// run returns the room of this name that the node runs, and begins to run it if
// it does not: with the record that there is, or else with that of wanted.
// Nothing is written of a room that runs.
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
	n.rooms[wanted.Name] = r
	return r
}

// close ends a room of the node, and its record, whoever may have made that.
func (n *Node) close(name sfu.Room) {
	delete(n.rooms, name)
	if !n.cut {
		n.sfu.records.remove(name)
	}
}

// end ends a session of the node, and the record of that identity.
func (n *Node) end(name sfu.Room, identity sfu.Identity) {
	r := n.rooms[name]
	delete(r.sids, identity)
	r.left = time.Now()
	if n.cut {
		return
	}
	delete(n.sfu.records.sessions[name], identity)
	n.sfu.records.rooms[name] = r.Room // with another number of participants
}

// remove ends a session because somebody asked for it.
func (n *Node) remove(name sfu.Room, identity sfu.Identity, revoke int64) {
	sid := n.rooms[name].sids[identity]
	report := n.sfu.departure(name, identity, sid, livekit.DisconnectReason_PARTICIPANT_REMOVED)
	n.end(name, identity)
	n.sfu.removals = append(n.sfu.removals, Removal{name, identity, sid, revoke, report})
}

// Why a room is on no node that answers.
var (
	errNoNodes = errors.New("could not find any available nodes")
	errSilent  = errors.New("no response from servers")
)

// host returns the node that a room is on, and puts one that is on none, or on
// one that is not available, on another.
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

// someNode reports whether one of the nodes is so.
func (s *SFU) someNode(so func(*Node) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.nodes, so)
}

// expire closes the rooms whose timeout is over.
func (s *SFU) expire() {
	now := time.Now()
	for _, n := range s.nodes {
		for name, r := range maps.Clone(n.rooms) {
			if r.isOver(now) {
				n.close(name)
			}
		}
	}
}
