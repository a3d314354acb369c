// Package sfutest is a fake LiveKit SFU for tests: the Room API's CreateRoom
// and ListRooms over Twirp, with LiveKit's own checks of API tokens, its
// answers to bad ones, rooms that close when nobody joins, and failures by
// script. It carries no media and no signalling; /rtc/validate tells whether a
// client with an access token would be admitted.
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
	rooms  map[sfu.Room]Room
	calls  map[string]int
	script []Fault
	always Fault
}

// New returns a fake SFU that knows the one key.
func New(key sfu.Key) *SFU {
	s := &SFU{key: key, rooms: map[sfu.Room]Room{}, calls: map[string]int{}}
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
	return slices.SortedFunc(maps.Values(s.rooms), func(a, b Room) int {
		return strings.Compare(string(a.Name), string(b.Name))
	})
}

// CloseRoom ends a room, as its timeout or a restart of the SFU would.
func (s *SFU) CloseRoom(name sfu.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms, name)
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
	if room, ok := s.rooms[wanted.Name]; ok {
		return room
	}
	s.rooms[wanted.Name] = wanted
	return wanted
}

func (s *SFU) exists(name sfu.Room) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, ok := s.rooms[name]
	return ok
}

// expire closes the rooms whose empty timeout is over: nobody ever joins here.
func (s *SFU) expire() {
	maps.DeleteFunc(s.rooms, func(_ sfu.Room, room Room) bool {
		return time.Since(room.Created) >= room.EmptyTimeout
	})
}
