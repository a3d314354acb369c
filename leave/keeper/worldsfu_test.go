package keeper_test

import (
	"context"
	"maps"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// With the methods in this file, the type world implements keeper.SFU.

// sessions holds the session (participant.sid) of each participant, by room and
// identity.
type sessions map[sfu.Room]map[sfu.Identity]string

func (s sessions) add(k leave.Key, session string) {
	if s[k.Room] == nil {
		s[k.Room] = map[sfu.Identity]string{}
	}
	s[k.Room][k.Identity] = session
}

func (s sessions) remove(k leave.Key) { delete(s[k.Room], k.Identity) }

func (w *world) makeRoom() {
	if w.roomAt.IsZero() {
		w.roomAt = w.sfuTime()
	}
}

// sfuTime returns the time on the wall clock of the SFU's machine.
func (w *world) sfuTime() time.Time {
	if w.elsewhere {
		return time.Now()
	}
	return w.machine.Wall()
}

func (w *world) RoomSince(_ context.Context, room sfu.Room) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.away("RoomSince", room); err != nil {
		return time.Time{}, err
	}
	if room == w.noRoom {
		return time.Time{}, nil
	}
	return w.roomAt, nil
}

// away returns the error of a call to the SFU, or nil if the SFU answers the call. The
// caller holds w.mu.
func (w *world) away(call string, room sfu.Room) error {
	switch {
	case w.fault != nil && w.fault(call, room) != nil:
		return w.fault(call, room)
	case w.sfuDown:
		return errDown
	}
	return nil
}

// endLine ends the connections to the SFU, unless there is a proxy, which keeps them
// open. The caller holds w.mu.
func (w *world) endLine() {
	if w.proxied {
		return
	}
	close(w.line)
	w.line = make(chan struct{})
}

// sfuRestart restarts the SFU. The SFU is back immediately, and has forgotten its rooms
// and participants.
func (w *world) sfuRestart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.present)
	w.roomAt = time.Time{}
	w.endLine()
}

func (w *world) Watch(ctx context.Context) error {
	w.mu.Lock()
	line, err := w.line, w.away("Watch", "")
	w.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-line:
	case <-ctx.Done():
	}
	return nil
}

func (w *world) Session(_ context.Context, room sfu.Room, identity sfu.Identity) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if err := w.away("Session", room); err != nil {
		return "", err
	}
	return w.present[room][identity], nil
}

func (w *world) Sessions(_ context.Context, room sfu.Room) (map[sfu.Identity]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if err := w.away("Sessions", room); err != nil {
		return nil, err
	}
	return maps.Clone(w.present[room]), nil
}

// Reachable answers as LiveKit does. LiveKit takes 3 s to say that no node holds the
// session.
func (w *world) Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error) {
	w.mu.Lock()
	err := w.away("Reachable", room)
	k := leave.Key{Room: room, Identity: identity}
	there := w.present[room][identity] != "" && !w.gone[k]
	w.reached = append(w.reached, time.Now())
	w.mu.Unlock()
	if err != nil || there {
		return there, err
	}
	select {
	case <-time.After(3 * time.Second):
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (w *world) CreateRoom(_ context.Context, room sfu.Room) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.away("CreateRoom", room); err != nil {
		return err
	}
	w.created = append(w.created, room)
	if room == w.noRoom {
		w.noRoom = ""
	}
	w.makeRoom()
	return nil
}

func (w *world) Ping(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away("Ping", "")
}
