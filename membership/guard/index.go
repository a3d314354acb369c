package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const (
	// maxRooms bounds how many Matrix rooms the index holds. maxCalls bounds the
	// LiveKit rooms of each Matrix room, which take 300 bytes each.
	maxRooms = 20_000
	maxCalls = 16
)

// index records the LiveKit rooms of the enforced persons in each Matrix room.
// Enforced persons are those whom the guard may remove. The guard learns their
// rooms from reports and sweeps. The index also records all LiveKit rooms, as
// the SFU last listed them. The zero value is ready.
type index struct {
	mu    sync.Mutex
	calls map[matrix.RoomID]map[sfu.Room]sight
	live  map[sfu.Room]bool
	asked time.Time // when the guard requested the list of rooms in the field live
	// before is when the last complete sweep began. A complete sweep looks into
	// all rooms.
	before time.Time
}

// sight is what the index knows about a LiveKit room.
type sight struct {
	seen  time.Time // when a person whom the guard may remove was last seen in the room
	since time.Time // when the latest known session in the room began, by the SFU's clock
}

// saw records that the session s exists. The guard may end s. known is true if the
// index already had an entry for the LiveKit room of s, with a session that began
// at the same time as s or later. kept is false if the index has no space for the
// LiveKit room. The next sweep then finds the session without the index.
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

// empty removes a LiveKit room from the entry of a Matrix room in the index. It
// is called when a list of the LiveKit room's participants has no session that
// the guard may end. asked is when the guard requested that list. If the guard
// has seen such a session since then, empty does nothing.
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

// swept drops the LiveKit rooms in which the last two complete sweeps have seen
// nobody. Its argument is the start of the last sweep.
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

// listed records the names of all LiveKit rooms. asked is the time at which the
// guard requested them.
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

// stale reports whether the list of LiveKit rooms is older than age.
func (i *index) stale(age time.Duration, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return now.Sub(i.asked) >= age
}
