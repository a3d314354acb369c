package sfutest

import (
	"maps"

	"matrixrtc-auth/sfu"
)

// records is what LiveKit's Redis says, or the memory of a single server: true
// or not, the API answers from it.
type records struct {
	rooms    map[sfu.Room]Room
	sessions map[sfu.Room]map[sfu.Identity]string
	hosts    map[sfu.Room]*Node
}

func newRecords() records {
	return records{map[sfu.Room]Room{}, map[sfu.Room]map[sfu.Identity]string{}, map[sfu.Room]*Node{}}
}

func (r records) clone() records {
	c := records{maps.Clone(r.rooms), map[sfu.Room]map[sfu.Identity]string{}, maps.Clone(r.hosts)}
	for name, sessions := range r.sessions {
		c.sessions[name] = maps.Clone(sessions)
	}
	return c
}

func (r records) remove(name sfu.Room) {
	delete(r.rooms, name)
	delete(r.sessions, name)
	delete(r.hosts, name)
}

// put records a session.
func (r records) put(name sfu.Room, identity sfu.Identity, sid string) {
	if r.sessions[name] == nil {
		r.sessions[name] = map[sfu.Identity]string{}
	}
	r.sessions[name][identity] = sid
}

// Flush empties LiveKit's Redis. What the nodes run goes on.
func (s *SFU) Flush() { s.Restore(Dump{newRecords()}) }

// Dump is what LiveKit's Redis held once.
type Dump struct{ records records }

// Dump returns what LiveKit's Redis holds.
func (s *SFU) Dump() Dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return Dump{s.records.clone()}
}

// Restore has LiveKit's Redis hold what it held once. The nodes it knew are out
// of date; those that live report themselves within 2 s.
func (s *SFU) Restore(d Dump) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	s.records = d.records.clone()
	for _, n := range s.nodes {
		n.forgotten()
	}
}
