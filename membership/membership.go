// Package membership finds out from a homeserver who is joined to a Matrix
// room.
package membership

import (
	"context"
	"time"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
)

// Source asks one homeserver. An error means that the answer is unknown.
type Source interface {
	// IsJoined reports whether user is joined to room. user may be of any
	// server. The answer is false if the homeserver does not know room.
	IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	// IsServerJoined reports whether any user of server is joined to room.
	IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error)
}

// askTimeout bounds one question, and how long a caller waits for the answer.
// It is short because the homeserver that made the request waits meanwhile. If
// there is no answer in this time, a client whose user must be joined gets 502.
const askTimeout = 10 * time.Second

// These bounds limit the questions that run at the same time, and the callers that
// wait for the answers. The service refuses requests beyond the bounds (502). A
// homeserver can invent users and rooms, and our homeserver may be slow to answer
// about them. So the users of one homeserver get at most half of each bound while
// users of other homeservers ask, too.
var (
	questions = semaphore.Bounds{Total: 256, Share: 16}
	askers    = semaphore.Bounds{Total: 2048, Share: 64}
)

// Lookup asks a [Source], but as seldom as it can. Callers that ask the same
// question at the same time share one request. Lookup keeps a "yes" for a short time
// (keepYes). It never keeps a "no", because a user who joins a room may start a
// call immediately. A question waits for its turn as long as its callers wait,
// at most 10 s.
type Lookup struct {
	source    Source
	now       Source // the source for IsJoinedNow, whose callers bound the number of questions themselves
	inquiries *inquiry.Inquiries[key, matrix.ServerName, answer]
	yes       recent
}

// answer is the result of a question to the homeserver whether somebody is joined.
type answer struct {
	joined bool
	err    error
}

// NewLookup returns a Lookup with an empty cache. If source is a [Rooms],
// NewLookup makes a second Rooms for IsJoinedNow. With only one Rooms,
// IsJoinedNow would have to wait for the lists of rooms that strangers ask about.
func NewLookup(source Source) *Lookup {
	now := source
	if rooms, ok := source.(*Rooms); ok {
		now = NewRooms(rooms.roll)
	}
	return &Lookup{source: source, now: now, inquiries: inquiry.New[key, matrix.ServerName, answer](askers, questions, askTimeout)}
}

// IsJoined reports whether user is joined to room, or was joined at most 5 s
// ago. An error means that this is unknown.
func (l *Lookup) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return l.ask(ctx, keyOf("user", room, user.String()), user.Server(), func(ctx context.Context) (bool, error) {
		return l.source.IsJoined(ctx, room, user)
	})
}

// IsServerJoined reports whether a user of server is joined to room, or was
// joined at most 5 s ago. An error means that this is unknown.
func (l *Lookup) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return l.ask(ctx, keyOf("server", room, server.String()), server, func(ctx context.Context) (bool, error) {
		return l.source.IsServerJoined(ctx, room, server)
	})
}

// IsJoinedNow reports whether user is joined to room. It uses no cached answer, and
// no answer to a request that began before the call. Each call asks the homeserver
// by itself, so the caller must bound how many calls run at the same time. An error
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

// AreJoinedNow is like IsJoinedNow, but asks one question about several users
// of one room. The answers are in the order of users. l must be a Lookup
// that [NewLookup] made with a [Rooms] as its source.
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

// note records the answer to a question. The time asked is the start of the
// question. If the answer is "no", note removes the cached "yes".
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

// ask calls the function question once for all callers that ask with the same key at
// the same time. If ctx ends, the call goes on for the other callers. The number of
// such calls at the same time is limited, in all and for each server. The
// parameter named of is the server for which this call counts.
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
