// Package sfutest is a fake LiveKit SFU for tests. It has these methods of the Room
// API over Twirp: CreateRoom, DeleteRoom, ListRooms, GetParticipant,
// ListParticipants, RemoveParticipant and UpdateSubscriptions. It checks API tokens
// as LiveKit does, and refuses invalid tokens with the same answers as LiveKit. It
// closes a room that nobody joins, or that everybody has left. Tests can make its
// calls fail.
//
// The fake has no media and no signalling. Join, Leave and Vanish change who is in
// a room. /rtc/validate tells whether the SFU would admit a client with a given
// access token. Only SendWebhook sends webhooks, so a test can send them late,
// twice, out of order, wrong or not at all.
//
// # Nodes
//
// Several [Node] share one Redis. Each node runs rooms. Each node answers the API
// from the records in Redis, which are wrong after the loss of a node or of Redis.
// Tests with LiveKit v1.13.5 have shown how LiveKit behaves. The fake behaves in
// the same way:
//
//   - A killed node leaves its records in Redis. GetParticipant, ListParticipants
//     and ListRooms answer as before, and LiveKit sends no webhook. The records are
//     deleted when the room ends on another node.
//   - LiveKit forwards UpdateSubscriptions and RemoveParticipant to the
//     participant's node. If no node answers, the caller gets 503 "no response from
//     servers" after 3 s. If there is no record, RemoveParticipant immediately
//     returns 404.
//   - Other nodes count a dead node as available until 5 s after its death. In that
//     time CreateRoom for a room on the dead node returns 503 after 3 s, and nobody
//     can join the room. Later, CreateRoom or the next client to join moves the
//     room to another node. The room keeps its record, including the time at which
//     it was created. A room older than its empty timeout ends on the new node
//     after a second, unless somebody has joined.
//   - A node that is cut off from Redis counts as dead, but keeps the sessions of
//     its clients. A client that joins again gets a second session on another node.
//     When the first node is back, the end of the first session deletes the record
//     of the second session. The end of the room on the first node deletes the
//     room's record.
//   - A draining node keeps its rooms and gets no new ones. When it is stopped, its
//     sessions end with webhooks, and the records of its rooms are deleted.
//   - A node that starts again has no rooms. LiveKit's nodes get a new id each
//     time. The fake's nodes keep their ids, so old records seem to be current.
//   - After Redis was emptied, GetParticipant returns 404, and ListParticipants and
//     ListRooms are empty. UpdateSubscriptions returns {} for participants who are
//     connected. Nobody can join. CreateRoom does not write the record of a room
//     that its node still runs.
//   - For up to 2 s after Redis was emptied, no node is known, and CreateRoom
//     returns 500 "could not find any available nodes". After that, another node
//     can create the room a second time. The record of a participant comes back
//     only when the participant changes (Change). LiveKit's nodes also write the
//     record of a room 5 s after somebody has joined or left, but the fake's nodes
//     write no such record.
//   - A Redis that was restored from an old file has records of participants who
//     have left since then, and no records of those who have joined since then.
package sfutest

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

// Room is a room on the fake SFU, with the properties that it got when it was
// created.
type Room struct {
	Name             sfu.Room
	EmptyTimeout     time.Duration
	DepartureTimeout time.Duration
	MaxParticipants  uint32 // 0 means no limit
	Created          time.Time
}

// SFU is the fake SFU as an http.Handler. It behaves like LiveKit with
// auto_create off. [Server] serves it on a socket. A test with its own
// connections can also serve it directly.
type SFU struct {
	key sfu.Key
	mux http.Handler

	mu      sync.Mutex
	records records
	nodes   []*Node
	joined  int // the number of sessions so far; the next sid contains it
	// sessions holds all sessions by their sid, including those that have
	// ended.
	sessions map[string]session
	removals []Removal
	calls    map[string]int
	script   []Fault
	always   Fault
}

// New returns a fake SFU with one API key. If there are ids, it has one node
// for each id, and a Redis. Without ids it is a single server without Redis.
func New(key sfu.Key, ids ...string) *SFU {
	s := &SFU{key: key, records: newRecords(), calls: map[string]int{}, sessions: map[string]session{}}
	if len(ids) == 0 {
		ids = []string{""}
	}
	for _, id := range ids {
		s.nodes = append(s.nodes, newNode(s, id))
	}
	mux := http.NewServeMux()
	mux.Handle("/twirp/", s.scripted(s.authenticated(newAPI(s))))
	mux.Handle("/rtc/validate", s.authenticated(http.HandlerFunc(s.validate)))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("OK")) })
	s.mux = s.alive(mux)
	return s
}

// alive passes a call on if at least one node runs. Otherwise it breaks the
// connection off.
func (s *SFU) alive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.someNode(func(n *Node) bool { return !n.dead }) {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *SFU) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Rooms returns the rooms in the records, sorted by name.
func (s *SFU) Rooms() []Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return slices.SortedFunc(maps.Values(s.records.rooms), func(a, b Room) int {
		return strings.Compare(string(a.Name), string(b.Name))
	})
}

// CloseRoom ends a room and its sessions without a webhook, as a restart of the
// SFU does.
func (s *SFU) CloseRoom(name sfu.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.remove(name)
	for _, n := range s.nodes {
		delete(n.rooms, name)
	}
}

// Forget ends all rooms and sessions without a webhook, as a restart of an SFU
// without Redis does. For an SFU with Redis, see [Node] and Flush.
func (s *SFU) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = newRecords()
	for _, n := range s.nodes {
		clear(n.rooms)
	}
}

// Calls returns how many calls of an API method have arrived, including calls
// that failed. method is like "CreateRoom".
func (s *SFU) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// FailNext applies each fault to one call: the first fault to the next call, and so
// on. A nil fault lets its call succeed.
func (s *SFU) FailNext(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// FailAlways applies fault to every API call for which FailNext has set none.
// With a nil fault, calls succeed again.
func (s *SFU) FailAlways(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = fault
}

// scripted counts each call, and applies the fault that the test has set for
// it.
func (s *SFU) scripted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := s.arrive(path.Base(r.URL.Path)); fault != nil {
			fault(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *SFU) arrive(method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	if len(s.script) == 0 {
		return s.always
	}
	fault := s.script[0]
	s.script = s.script[1:]
	return fault
}
