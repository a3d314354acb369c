package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const (
	// maxRooms bounds the Matrix rooms in the index. maxCalls bounds the LiveKit
	// rooms of each, 300 bytes for a call.
	maxRooms = 20_000
	maxCalls = 16
)

// index records in which LiveKit rooms the enforced persons of a Matrix room
// are, from reports and sweeps. It also records which LiveKit rooms exist, from
// the last list. The zero value is ready.
type index struct {
	mu    sync.Mutex
	calls map[matrix.RoomID]map[sfu.Room]sight
	live  map[sfu.Room]bool
	asked time.Time // when the list live was requested
	// before is when the last sweep that looked into all rooms began.
	before time.Time
}

// sight is what is known of a call.
type sight struct {
	seen  time.Time // when a person was last seen there
	since time.Time // when the latest known session began, by the SFU's clock
}

// saw records an enforced session. known reports whether its call was known,
// with a session that began no earlier. kept reports whether the index had room
// for it. If not, sweeps find it.
func (i *index) saw(s session, now time.Time) (known, kept bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.calls == nil {
		i.calls = map[matrix.RoomID]map[sfu.Room]sight{}
	}
	calls := i.calls[s.room]
	if calls == nil {
		if len(i.calls) >= maxRooms {
			return false, false
		}
		calls = map[sfu.Room]sight{}
		i.calls[s.room] = calls
	}
	last, known := calls[s.at]
	if !known && len(calls) >= maxCalls {
		return false, false
	}
	newer := s.Since.After(last.since)
	if newer {
		last.since = s.Since
	}
	calls[s.at] = sight{now, last.since}
	return known && !newer, true
}

// empty records that a list requested at asked shows no enforced session in a
// LiveKit room of room.
func (i *index) empty(room matrix.RoomID, call sfu.Room, asked time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if last, ok := i.calls[room][call]; ok && last.seen.Before(asked) {
		i.drop(room, call)
	}
}

func (i *index) drop(room matrix.RoomID, call sfu.Room) {
	delete(i.calls[room], call)
	if len(i.calls[room]) == 0 {
		delete(i.calls, room)
	}
}

// swept removes the rooms in which two sweeps have seen nobody. The last of
// them began at began and looked into all rooms.
func (i *index) swept(began time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.before
	i.before = began
	for room, calls := range i.calls {
		for call, last := range calls {
			if last.seen.Before(before) {
				i.drop(room, call)
			}
		}
	}
}

// listed records which LiveKit rooms exist.
func (i *index) listed(rooms []sfu.Room, asked time.Time) {
	live := make(map[sfu.Room]bool, len(rooms))
	for _, room := range rooms {
		live[room] = true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.live, i.asked = live, asked
}

// of returns the LiveKit rooms in which persons of a Matrix room may be.
func (i *index) of(room matrix.RoomID) []sfu.Room {
	usual := token.RoomName(room, matrix.RoomCall)
	i.mu.Lock()
	defer i.mu.Unlock()
	var calls []sfu.Room
	for call := range i.calls[room] {
		calls = append(calls, call)
	}
	if _, known := i.calls[room][usual]; !known && i.live[usual] {
		calls = append(calls, usual)
	}
	return calls
}

// stale reports whether the list of rooms is older than age.
func (i *index) stale(age time.Duration, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return now.Sub(i.asked) >= age
}
