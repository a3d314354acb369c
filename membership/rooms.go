package membership

import (
	"context"
	"strings"
	"sync"

	"matrixrtc-auth/matrix"
)

// Roll lists the members of whole rooms.
type Roll interface {
	// EachJoined calls the function see for each user who is joined to room. If
	// EachJoined returns an error, some users may be missing.
	EachJoined(ctx context.Context, room matrix.RoomID, see func(user string)) error
}

// rolls bounds how many member lists are read at the same time.
const rolls = 16

// Rooms is a [Source] that reads the member lists of whole rooms. A question
// must not use a list that was requested before the question. So callers that
// ask about a room while its list is being read share the next list. Rooms
// keeps only the answers, not the list.
type Rooms struct {
	roll    Roll
	running chan struct{} // holds one value for each running request for a list

	mu sync.Mutex
	of map[matrix.RoomID]*room // the rooms that callers ask about
}

// room is a Matrix room that callers ask about.
type room struct {
	next *list // the list to request next; nil if no caller waits for one
}

// list is one member list of a room. It keeps only the names that callers ask
// about.
type list struct {
	users, servers map[string]bool // the wanted names; the value says whether the name was in the list
	callers        int             // how many callers wait for the list
	done           chan struct{}   // closed when the list was read
	err            error
}

// NewRooms returns a Rooms that gets the member lists from the given Roll.
func NewRooms(roll Roll) *Rooms {
	return &Rooms{roll: roll, running: make(chan struct{}, rolls), of: map[matrix.RoomID]*room{}}
}

// IsJoined reports whether user is joined to room. An error means that the
// answer is unknown.
func (r *Rooms) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	joined, err := r.AreJoined(ctx, room, []matrix.UserID{user})
	if err != nil {
		return false, err
	}
	return joined[0], nil
}

// AreJoined reports which of users are joined to room. The answers are in the
// order of users.
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

// ask waits for the next member list of one Matrix room, and returns that list.
// The caller asks about some users or servers, and the function want adds their
// names to the list before the list is read.
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

// serve reads the lists of a room, one after another, as long as callers want
// one.
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

// take returns the next list that callers want. If no caller wants one, it
// forgets the room and returns nil.
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

// read requests the list, and looks for the wanted names in it. It goes on even
// if all callers of this list have left.
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
