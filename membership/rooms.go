package membership

import (
	"context"
	"strings"
	"sync"

	"matrixrtc-auth/matrix"
)

// Roll lists who is joined to a whole room.
type Roll interface {
	// EachJoined calls see for every user who is joined to room. The calls count
	// only if the error is nil.
	EachJoined(ctx context.Context, room matrix.RoomID, see func(user string)) error
}

// rolls bounds how many lists are read at once.
const rolls = 16

// Rooms is a [Source] that reads the member lists of whole rooms. Callers that
// ask about one room while its list is being read share the next list. A
// question never uses a list that was requested before the question. Rooms
// keeps only the answers to the questions, not the list.
type Rooms struct {
	roll    Roll
	running chan struct{} // one for each running list request

	mu sync.Mutex
	of map[matrix.RoomID]*room // the rooms that callers ask about
}

// room is a room that callers ask about.
type room struct {
	next *list // the list to request next; nil if no caller waits for one
}

// list is one member list of a room, reduced to the names that callers ask
// about.
type list struct {
	users, servers map[string]bool // for each wanted name, whether the list has it
	callers        int             // how many callers wait for the list
	done           chan struct{}   // closed when the result is there
	err            error
}

// NewRooms returns a source that reads the lists of roll.
func NewRooms(roll Roll) *Rooms {
	return &Rooms{roll: roll, running: make(chan struct{}, rolls), of: map[matrix.RoomID]*room{}}
}

// IsJoined reports whether user is joined to room. An error means that this is
// unknown.
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

// ask waits for the next list of room, and returns it. want adds to the list
// the names to look for.
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

// serve reads one list of the room after another while callers want one.
func (r *Rooms) serve(of matrix.RoomID, asked *room) {
	for {
		r.running <- struct{}{}
		l := r.take(of, asked)
		if l != nil {
			l.read(r.roll, of)
		}
		<-r.running
		if l == nil {
			return
		}
	}
}

// take returns the next wanted list. If there is none, it removes the room and
// returns nil.
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

// read requests the list and looks for the wanted names. It goes on when its
// callers have left, because others will want the room's next list.
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
