package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const (
	// maxRooms bounds the Matrix rooms in the index, maxCalls the LiveKit rooms
	// of each: 300 bytes for a call.
	maxRooms = 20_000
	maxCalls = 16
)

// index knows in which LiveKit rooms the enforced persons of a Matrix room are:
// from reports and sweeps. It also knows which LiveKit rooms there are, from the
// last list of them. The zero value is ready.
type index struct {
	mu    sync.Mutex
	calls map[matrix.RoomID]map[sfu.Room]sight
	live  map[sfu.Room]bool
	asked time.Time // for live
	// before is when the last sweep began that looked into all rooms.
	before time.Time
}

// sight is what is known of a call.
type sight struct {
	seen  time.Time // when somebody was last seen there
	since time.Time // when the last session that is known began, by the SFU's clock
}

// saw notes an enforced session. It reports whether its call, and there a session
// that began no earlier, was known before, and whether there was room for it: what
// there is no room for, sweeps find.
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

// empty notes that nobody who is enforced was in a LiveKit room of room, as far
// as a list says that was asked for at asked.
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

// swept forgets the rooms in which two sweeps have seen nobody, of which the last
// began at began, and which looked into all.
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

// listed notes which LiveKit rooms there are.
func (i *index) listed(rooms []sfu.Room, asked time.Time) {
	live := make(map[sfu.Room]bool, len(rooms))
	for _, room := range rooms {
		live[room] = true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.live, i.asked = live, asked
}

// of returns the LiveKit rooms of a Matrix room in which somebody may be.
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
