// Package sfutest is a fake LiveKit SFU for tests: the Room API's CreateRoom,
// DeleteRoom, ListRooms, GetParticipant, ListParticipants, RemoveParticipant and
// UpdateSubscriptions over Twirp, with LiveKit's own checks of API tokens, its
// answers to bad ones, rooms that close when nobody joins or all have left, and
// failures by script.
//
// It carries no media and no signalling: participants come and go by Join,
// Leave and Vanish, and /rtc/validate tells whether a client with an access
// token would be admitted. Webhooks are sent by SendWebhook alone, so that a
// test has them late, twice, out of order, wrong or not at all.
//
// # Nodes
//
// Several [Node] share one Redis. Each runs rooms, and each answers the API from
// Redis' records, which differ from what the nodes run when a node or Redis is
// lost. This was seen of LiveKit v1.13.5, and the fake does the same:
//
//   - A node that was killed leaves its records: GetParticipant, ListParticipants
//     and ListRooms answer as if all were well, and no webhook comes. The records
//     go when the room ends on another node.
//   - UpdateSubscriptions and RemoveParticipant go to the participant's node. If
//     no node answers, they are 503 "no response from servers" after 3 s. If
//     there is no record, RemoveParticipant is 404 at once.
//   - Others take a node for available until 5 s after its death. CreateRoom for
//     a room on it is 503 after 3 s meanwhile, and nobody can join the room. Later
//     CreateRoom and the next client to join move the room to another node, where
//     it keeps its record and so the time at which it was made. One older than
//     its empty timeout ends there after a second, unless somebody has joined.
//   - A node that is cut off from Redis is dead to the others, but keeps the
//     sessions of its clients. A client that joins anew gets a second session on
//     another node. When the node is back, the end of the first session deletes
//     the record of the second, and the end of the node's room that of the room.
//   - A node that drains keeps its rooms and gets no new ones. When it is stopped
//     its sessions end with webhooks, and its rooms with their records.
//   - A node that starts again has no rooms. LiveKit's own nodes get a new id each
//     time; the fake's keep theirs, so their old records look like new ones.
//   - When Redis is emptied, GetParticipant is 404, ListParticipants and ListRooms
//     are empty and UpdateSubscriptions is {} for the living. Nobody can join, nor
//     does CreateRoom write the record of a room that its node still runs. For up
//     to 2 s no node is known: CreateRoom is 500 "could not find any available
//     nodes". Then the room may be made a second time on another node. Only a
//     change of a participant (Change) writes its record again. (LiveKit's nodes
//     write the record of a room 5 s after somebody has joined or left it, too.)
//   - A Redis that was restored from an old file has records of those who have
//     left since, and none of those who came.
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

// Room is a room of the fake, as it was asked for.
type Room struct {
	Name             sfu.Room
	EmptyTimeout     time.Duration
	DepartureTimeout time.Duration
	MaxParticipants  uint32 // 0 means no limit
	Created          time.Time
}

// SFU is the fake as an http.Handler, with auto_create off. [Server] listens
// for it. A test with connections of its own serves it directly.
type SFU struct {
	key sfu.Key
	mux http.Handler

	mu      sync.Mutex
	records records
	nodes   []*Node
	joined  int // how many sessions there were, to number the sids
	// sessions holds all sessions that ever were, by sid.
	sessions map[string]session
	removals []Removal
	calls    map[string]int
	script   []Fault
	always   Fault
}

// New returns a fake SFU with one key. With ids it has that many nodes and a
// Redis; without ids it is a single server without Redis.
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

// alive drops calls while no node runs.
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
// SFU would.
func (s *SFU) CloseRoom(name sfu.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.remove(name)
	for _, n := range s.nodes {
		delete(n.rooms, name)
	}
}

// Forget ends all rooms and sessions without a webhook, as a restart of an SFU
// without Redis does. (For one with Redis, see [Node] and Flush.)
func (s *SFU) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = newRecords()
	for _, n := range s.nodes {
		clear(n.rooms)
	}
}

// Calls returns how many requests for an API method ("CreateRoom") arrived,
// including those that failed.
func (s *SFU) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// FailNext applies these faults to the next API calls, one each, in this order.
// A call with nil in the list succeeds.
func (s *SFU) FailNext(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// FailAlways applies fault to every API call after those of FailNext. nil ends
// that.
func (s *SFU) FailAlways(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = fault
}

// scripted counts the call and applies its fault.
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
