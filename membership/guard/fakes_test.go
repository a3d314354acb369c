package guard_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/sfu"
)

func (w *world) arrive(op string, room sfu.Room) error {
	w.calls[op]++
	if w.sfuFails != nil && w.sfuFails(op, room) {
		return errAway
	}
	return nil
}

// ListRooms implements [guard.SFU], together with Participants, Remove and
// Reachable.
func (w *world) ListRooms(context.Context) (all []sfu.Room, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.arrive("ListRooms", ""); err != nil {
		return nil, err
	}
	for room := range w.rooms {
		all = append(all, room)
	}
	return all, nil
}

func (w *world) Participants(ctx context.Context, room sfu.Room) ([]sfu.Participant, error) {
	w.mu.Lock()
	err := w.arrive("Participants", room)
	all, takes := slices.Collect(maps.Values(w.rooms[room])), w.sfuTakes
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if takes == 0 {
		return all, nil
	}
	select {
	case <-time.After(takes):
		return all, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *world) Remove(_ context.Context, room sfu.Room, identity sfu.Identity) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.arrive("Remove", room); err != nil {
		return err
	}
	if p, ok := w.rooms[room][identity]; ok {
		w.removals = append(w.removals, removal{p.Session, w.owners[p.Session], time.Now(), w.calls["Remove"]})
		w.end(room, identity)
	}
	return nil
}

func (w *world) Reachable(_ context.Context, room sfu.Room, identity sfu.Identity) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.arrive("Reachable", room); err != nil {
		return false, err
	}
	p, ok := w.rooms[room][identity]
	return ok && !w.dead[p.Session], nil
}

// IsJoinedNow implements [guard.Members], together with Forget. It finds the
// answer when the question arrives, and may return it later.
func (w *world) IsJoinedNow(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	w.mu.Lock()
	p := person{room, user}
	w.asked = append(w.asked, question{p, time.Now()})
	joined, err := w.joined[p] && !w.emptied, error(nil)
	if w.answer != nil {
		joined, err = w.answer(p, len(w.asked))
	}
	if w.silent {
		joined, err = false, errAway
	}
	takes := w.takes
	w.mu.Unlock()
	select {
	case <-time.After(takes):
		return joined, err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// byRoom makes g ask for the member lists of whole rooms.
func (w *world) byRoom(g *guard.Guard) {
	l := membership.NewLookup(membership.NewRooms(w))
	g.Members, g.Rooms = l, l
}

// EachJoined implements [membership.Roll]. It lists the users who are joined
// when the question arrives. If room is the slow room, EachJoined returns only
// after a minute.
func (w *world) EachJoined(ctx context.Context, room matrix.RoomID, see func(string)) error {
	w.mu.Lock()
	w.lists++
	var err error
	for p, joined := range w.joined {
		if p.room == room && joined && !w.emptied && !w.silent {
			see(p.user.String())
		}
	}
	switch {
	case w.silent:
		err = errAway
	case w.unseen[room]:
		err = matrix.ErrNotInRoom
	}
	takes := w.takes
	if w.slow == room {
		takes = time.Minute
	}
	w.mu.Unlock()
	select {
	case <-time.After(takes):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *world) Forget(matrix.RoomID, matrix.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgotten++
}
