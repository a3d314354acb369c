package sfutest

import (
	"maps"

	"matrixrtc-auth/sfu"
)

// records is what LiveKit keeps in Redis, or in memory if it is a single
// server. The API answers from the records, even if they are wrong.
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

// Flush empties LiveKit's Redis. Rooms and sessions on the nodes go on.
func (s *SFU) Flush() { s.Restore(Dump{newRecords()}) }

// Dump is a copy of LiveKit's Redis.
type Dump struct{ records records }

// Dump returns a copy of LiveKit's Redis.
func (s *SFU) Dump() Dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return Dump{s.records.clone()}
}

// Restore replaces the contents of LiveKit's Redis by a dump. The reports of
// nodes that the dump contains are outdated. All living nodes report again
// within 2 s.
func (s *SFU) Restore(d Dump) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	s.records = d.records.clone()
	for _, n := range s.nodes {
		n.forgotten()
	}
}
