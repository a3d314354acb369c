package membership

import (
	"context"
	"strings"
	"sync"

	"matrixrtc-auth/matrix"
)

// Roll lists who is joined to whole rooms.
type Roll interface {
	// EachJoined tells see of every user who is joined to room. What see was told
	// counts only if the error is nil.
	EachJoined(ctx context.Context, room matrix.RoomID, see func(user string)) error
}

// rolls bounds the lists that are read at once.
const rolls = 16

// Rooms is a [Source] that has lists of whole rooms read. One list answers all
// who ask about its room while it waits for the one before. A list is never
// shared with a question that came after it was asked for, and nothing of it is
// kept but what was asked about.
type Rooms struct {
	roll  Roll
	slots chan struct{} // one for each list that is read

	mu sync.Mutex
	of map[matrix.RoomID]*room // about which somebody asks
}

// room is one about which somebody asks.
type room struct {
	next *list // not asked for yet; nil for none
}

// list is one of a room's members, as far as somebody wants to know about them.
type list struct {
	users, servers map[string]bool // whether they were found
	callers        int             // who wait for it
	done           chan struct{}   // closed when the rest is there
	err            error
}

// NewRooms returns a source of what roll lists.
func NewRooms(roll Roll) *Rooms {
	return &Rooms{roll: roll, slots: make(chan struct{}, rolls), of: map[matrix.RoomID]*room{}}
}

// IsJoined reports whether user is joined to room. An error means: unknown.
func (r *Rooms) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	joined, err := r.AreJoined(ctx, room, []matrix.UserID{user})
	if err != nil {
		return false, err
	}
	return joined[0], nil
}

// AreJoined reports which of users are joined to room, in their order.
func (r *Rooms) AreJoined(ctx context.Context, room matrix.RoomID, users []matrix.UserID) ([]bool, error) {
	l, err := r.ask(ctx, room, func(l *list) {
		for _, user := range users {
			l.users[user.String()] = false
		}
	})
	if err != nil {
		return nil, err
	}
	joined := make([]bool, len(users))
	for i, user := range users {
		joined[i] = l.users[user.String()]
	}
	return joined, nil
}

// IsServerJoined reports whether any user of server is joined to room.
func (r *Rooms) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	l, err := r.ask(ctx, room, func(l *list) { l.servers[server.String()] = false })
	if err != nil {
		return false, err
	}
	return l.servers[server.String()], nil
}

// ask returns the next list of room that is asked for, in which what want adds is
// looked for.
func (r *Rooms) ask(ctx context.Context, of matrix.RoomID, want func(*list)) (*list, error) {
	l := r.join(of, want)
	defer r.part(l)
	select {
	case <-l.done:
		return l, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *Rooms) join(of matrix.RoomID, want func(*list)) *list {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked, known := r.of[of]
	if !known {
		asked = &room{}
		r.of[of] = asked
		go r.serve(of, asked)
	}
	if asked.next == nil {
		asked.next = &list{users: map[string]bool{}, servers: map[string]bool{}, done: make(chan struct{})}
	}
	want(asked.next)
	asked.next.callers++
	return asked.next
}

func (r *Rooms) part(l *list) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.callers--
}

// serve has one list after the other read while somebody wants one.
func (r *Rooms) serve(of matrix.RoomID, asked *room) {
	for {
		r.slots <- struct{}{}
		l := r.take(of, asked)
		if l != nil {
			l.read(r.roll, of)
		}
		<-r.slots
		if l == nil {
			return
		}
	}
}

// take returns the list that is wanted; nil if none is, and then the room is
// forgotten.
func (r *Rooms) take(of matrix.RoomID, asked *room) *list {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := asked.next
	asked.next = nil
	if l == nil || l.callers == 0 {
		delete(r.of, of)
		return nil
	}
	return l
}

// read asks for the list, and looks into it. It goes on when the callers leave:
// others will want the room's next one.
func (l *list) read(roll Roll, of matrix.RoomID) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	l.err = roll.EachJoined(ctx, of, l.see)
}

func (l *list) see(user string) {
	if _, wanted := l.users[user]; wanted {
		l.users[user] = true
	}
	if len(l.servers) == 0 {
		return
	}
	_, server, _ := strings.Cut(user, ":")
	if _, wanted := l.servers[server]; wanted {
		l.servers[server] = true
	}
}
