// Package membership knows who is joined to a Matrix room, as far as a
// homeserver says it.
package membership

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"

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

const (
	// askTimeout bounds one question.
	askTimeout = 10 * time.Second
	// maxAsking bounds the questions that are under way at once.
	maxAsking = 256
)

// Lookup asks a [Source] and spares it what it has just said: questions that
// are equal and asked at one time share one call, and a yes is kept for a
// moment. A no is never kept: who joins a room may call at once.
type Lookup struct {
	source Source
	flight singleflight.Group
	asking chan struct{}
	yes    recent
}

// NewLookup returns a Lookup that has heard nothing yet.
func NewLookup(source Source) *Lookup {
	return &Lookup{source: source, asking: make(chan struct{}, maxAsking)}
}

// IsJoined reports whether user is joined to room, or was at most 5 s ago. An
// error means: unknown.
func (l *Lookup) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return l.ask(ctx, keyOf("user", room, user.String()), func(ctx context.Context) (bool, error) {
		return l.source.IsJoined(ctx, room, user)
	})
}

// IsServerJoined reports whether a user of server is joined to room, or was at
// most 5 s ago. An error means: unknown.
func (l *Lookup) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return l.ask(ctx, keyOf("server", room, server.String()), func(ctx context.Context) (bool, error) {
		return l.source.IsServerJoined(ctx, room, server)
	})
}

// Forget drops what is kept of user in room.
func (l *Lookup) Forget(room matrix.RoomID, user matrix.UserID) {
	l.yes.drop(keyOf("user", room, user.String()))
}

// ask asks once for all who want to know at this time. The question goes on for
// the others when ctx ends.
func (l *Lookup) ask(ctx context.Context, k key, question func(context.Context) (bool, error)) (bool, error) {
	if l.yes.has(k, time.Now()) {
		return true, nil
	}
	answer := l.flight.DoChan(string(k[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		select {
		case l.asking <- struct{}{}:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		defer func() { <-l.asking }()
		asked := time.Now()
		joined, err := question(ctx)
		if joined && err == nil {
			l.yes.add(k, asked)
		}
		return joined, err
	})
	select {
	case a := <-answer:
		return a.Val.(bool) && a.Err == nil, a.Err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
