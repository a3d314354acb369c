// Package membership knows who is joined to a Matrix room, as far as a
// homeserver says it.
package membership

import (
	"context"
	"time"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// Source answers for one homeserver. An error means: unknown.
type Source interface {
	// IsJoined reports whether user, of whatever server, is joined to room. An
	// unknown room is a no.
	IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	// IsServerJoined reports whether any user of server is joined to room.
	IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error)
}

// askTimeout bounds one question, and the wait of whoever asks it: their own
// homeserver waits for us meanwhile.
const askTimeout = 10 * time.Second

// The bounds of what is under way at once, and of the requests that wait for it.
// The users of one homeserver have half of it at most, as long as others ask: a
// homeserver can invent users and rooms, and ours may be slow to say what it
// knows of them. More requests than that are refused.
var (
	questions = semaphore.Bounds{Total: 256, Share: 16}
	askers    = semaphore.Bounds{Total: 2048, Share: 64}
)

// Lookup asks a [Source] and spares it what it has just said: questions that
// are equal and asked at one time share one call, and a yes is kept for a
// moment. A no is never kept: who joins a room may call at once. Questions wait
// for their turn no longer than those who want the answer, who wait for 10 s.
type Lookup struct {
	source    Source
	now       Source // source for those who bound their questions themselves
	inquiries *inquiry.Inquiries[key, matrix.ServerName, answer]
	yes       recent
}

// answer is what came of a question.
type answer struct {
	joined bool
	err    error
}

// NewLookup returns a Lookup that has heard nothing yet. Of [Rooms] it makes a second
// one: strangers can ask about any number of rooms, and IsJoinedNow must not wait for
// the lists of these.
func NewLookup(source Source) *Lookup {
	now := source
	if rooms, ok := source.(*Rooms); ok {
		now = NewRooms(rooms.roll)
	}
	return &Lookup{source: source, now: now, inquiries: inquiry.New[key, matrix.ServerName, answer](askers, questions, askTimeout)}
}

// IsJoined reports whether user is joined to room, or was at most 5 s ago. An
// error means: unknown.
func (l *Lookup) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return l.ask(ctx, keyOf("user", room, user.String()), user.Server(), func(ctx context.Context) (bool, error) {
		return l.source.IsJoined(ctx, room, user)
	})
}

// IsServerJoined reports whether a user of server is joined to room, or was at
// most 5 s ago. An error means: unknown.
func (l *Lookup) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return l.ask(ctx, keyOf("server", room, server.String()), server, func(ctx context.Context) (bool, error) {
		return l.source.IsServerJoined(ctx, room, server)
	})
}

// IsJoinedNow is IsJoined that goes by nothing that was said or asked before: its
// question begins after the call, and waits for nobody's. The caller bounds how
// many there are at a time. An error means: unknown.
func (l *Lookup) IsJoinedNow(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	joined, err := l.now.IsJoined(ctx, room, user)
	if err != nil {
		return false, err
	}
	l.note(room, user, joined, asked)
	return joined, nil
}

// AreJoinedNow is IsJoinedNow for users of one room, who are asked about with one
// question; the answer has their order. The source must be a [Rooms].
func (l *Lookup) AreJoinedNow(ctx context.Context, room matrix.RoomID, users []matrix.UserID) ([]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	joined, err := l.now.(*Rooms).AreJoined(ctx, room, users)
	if err != nil {
		return nil, err
	}
	for i, user := range users {
		l.note(room, user, joined[i], asked)
	}
	return joined, nil
}

// note keeps the answer to a question that began at asked: a no drops the yes.
func (l *Lookup) note(room matrix.RoomID, user matrix.UserID, joined bool, asked time.Time) {
	k := keyOf("user", room, user.String())
	if joined {
		l.yes.add(k, asked)
		return
	}
	l.yes.drop(k)
}

// Forget drops what is kept of user in room.
func (l *Lookup) Forget(room matrix.RoomID, user matrix.UserID) {
	l.yes.drop(keyOf("user", room, user.String()))
}

// ask asks once for all who want to know at this time. A question that is under
// way goes on for the others when ctx ends. of is the server that it is about.
func (l *Lookup) ask(ctx context.Context, k key, of matrix.ServerName, question func(context.Context) (bool, error)) (bool, error) {
	if l.yes.has(k, time.Now()) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	got, err := l.inquiries.Ask(ctx, k, of, func(ctx context.Context) answer {
		asked := time.Now()
		joined, err := question(ctx)
		if joined && err == nil {
			l.yes.add(k, asked)
		}
		return answer{joined && err == nil, err}
	})
	if err != nil {
		return false, err
	}
	return got.joined, got.err
}
