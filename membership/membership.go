// Package membership knows who is joined to a Matrix room, as far as a
// homeserver tells.
package membership

import (
	"context"
	"time"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// Source answers for one homeserver. An error means that the answer is unknown.
type Source interface {
	// IsJoined reports whether user, of any server, is joined to room. It is
	// false for an unknown room.
	IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	// IsServerJoined reports whether any user of server is joined to room.
	IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error)
}

// askTimeout bounds one question, and how long a caller waits for it: the
// caller's homeserver waits meanwhile.
const askTimeout = 10 * time.Second

// The bounds on running questions, and on the requests that wait for them. The
// users of one homeserver have at most half of them while others ask: a
// homeserver can invent users and rooms, and ours may be slow to answer about
// them. Requests beyond these bounds are refused.
var (
	questions = semaphore.Bounds{Total: 256, Share: 16}
	askers    = semaphore.Bounds{Total: 2048, Share: 64}
)

// Lookup asks a [Source] and saves calls. Equal questions at one time share a
// call, and a yes is kept for a moment. A no is never kept, because a user who
// joins a room may call at once. A question waits for its turn only as long as
// its callers, for 10 s.
type Lookup struct {
	source    Source
	now       Source // the source for IsJoinedNow, whose callers bound their questions themselves
	inquiries *inquiry.Inquiries[key, matrix.ServerName, answer]
	yes       recent
}

// answer is the result of a question.
type answer struct {
	joined bool
	err    error
}

// NewLookup returns an empty Lookup. If source is a [Rooms], it makes a second
// one for IsJoinedNow, which must not wait for the lists of rooms that
// strangers ask about.
func NewLookup(source Source) *Lookup {
	now := source
	if rooms, ok := source.(*Rooms); ok {
		now = NewRooms(rooms.roll)
	}
	return &Lookup{source: source, now: now, inquiries: inquiry.New[key, matrix.ServerName, answer](askers, questions, askTimeout)}
}

// IsJoined reports whether user is joined to room, or was at most 5 s ago. An
// error means that this is unknown.
func (l *Lookup) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return l.ask(ctx, keyOf("user", room, user.String()), user.Server(), func(ctx context.Context) (bool, error) {
		return l.source.IsJoined(ctx, room, user)
	})
}

// IsServerJoined reports whether a user of server is joined to room, or was at
// most 5 s ago. An error means that this is unknown.
func (l *Lookup) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return l.ask(ctx, keyOf("server", room, server.String()), server, func(ctx context.Context) (bool, error) {
		return l.source.IsServerJoined(ctx, room, server)
	})
}

// IsJoinedNow is IsJoined without cached answers: its question begins after the
// call, and is not shared. The caller bounds how many run at a time. An error
// means that the answer is unknown.
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

// AreJoinedNow is IsJoinedNow for users of one room, with one question. The
// answers are in their order. The source must be a [Rooms].
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

// note records the answer to a question that began at asked. A no removes the
// cached yes.
func (l *Lookup) note(room matrix.RoomID, user matrix.UserID, joined bool, asked time.Time) {
	k := keyOf("user", room, user.String())
	if joined {
		l.yes.add(k, asked)
		return
	}
	l.yes.drop(k)
}

// Forget removes the cached answer about user in room.
func (l *Lookup) Forget(room matrix.RoomID, user matrix.UserID) {
	l.yes.drop(keyOf("user", room, user.String()))
}

// ask makes one call for all concurrent callers with the same question. If ctx
// ends, the call goes on for the other callers. of is the server whose share of
// the bounds the question counts to.
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
