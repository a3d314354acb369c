// Package sfutest is a fake LiveKit SFU for tests: the Room API's CreateRoom,
// DeleteRoom, ListRooms, GetParticipant and ListParticipants over Twirp, with
// LiveKit's own checks of API tokens, its answers to bad ones, rooms that close
// when nobody joins or all have left, and failures by script.
//
// It carries no media and no signalling: participants come and go by Join,
// Leave and Vanish, and /rtc/validate tells whether a client with an access
// token would be admitted. Webhooks are sent by SendWebhook alone, so that a
// test has them late, twice, out of order, wrong or not at all.
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
	MaxParticipants  uint32 // 0: no limit
	Created          time.Time
}

// SFU is the fake as an http.Handler, with auto_create off. [Server] has it
// listen; a test with connections of its own serves it directly.
type SFU struct {
	key sfu.Key
	mux http.Handler

	mu     sync.Mutex
	rooms  map[sfu.Room]*room
	joined int // how many ever were, for the sids
	calls  map[string]int
	script []Fault
	always Fault
}

// New returns a fake SFU that knows the one key.
func New(key sfu.Key) *SFU {
	s := &SFU{key: key, rooms: map[sfu.Room]*room{}, calls: map[string]int{}}
	mux := http.NewServeMux()
	mux.Handle("/twirp/", s.scripted(s.authenticated(newAPI(s))))
	mux.Handle("/rtc/validate", s.authenticated(http.HandlerFunc(s.validate)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("OK")) })
	s.mux = mux
	return s
}

func (s *SFU) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Rooms returns the rooms that exist now, sorted by name.
func (s *SFU) Rooms() []Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	rooms := make([]Room, 0, len(s.rooms))
	for _, r := range s.rooms {
		rooms = append(rooms, r.Room)
	}
	return slices.SortedFunc(slices.Values(rooms), func(a, b Room) int {
		return strings.Compare(string(a.Name), string(b.Name))
	})
}

// CloseRoom ends a room and the sessions in it without a report, as a restart
// of the SFU would.
func (s *SFU) CloseRoom(name sfu.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms, name)
}

// Forget ends all rooms and sessions without a report, as a restart of an SFU
// without Redis does.
func (s *SFU) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.rooms)
}

// Calls returns how many requests for an API method ("CreateRoom") came in,
// those that failed included.
func (s *SFU) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// FailNext lets the next API calls meet these faults, one each, in this order.
// Nil in between is a call that is answered well.
func (s *SFU) FailNext(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// FailAlways lets every API call meet fault once the script of FailNext is
// through; nil ends that.
func (s *SFU) FailAlways(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = fault
}

// scripted counts the call and lets it meet its fault.
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

// ensure returns the room of this name, which is made from wanted if it does
// not exist and left as it is if it does.
func (s *SFU) ensure(wanted Room) Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if r, ok := s.rooms[wanted.Name]; ok {
		return r.Room
	}
	s.rooms[wanted.Name] = &room{Room: wanted, sids: map[sfu.Identity]string{}}
	return wanted
}

func (s *SFU) exists(name sfu.Room) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, ok := s.rooms[name]
	return ok
}

// expire closes the rooms whose timeout is over.
func (s *SFU) expire() {
	maps.DeleteFunc(s.rooms, func(_ sfu.Room, r *room) bool { return r.isOver(time.Now()) })
}
