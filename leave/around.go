package leave

import (
	"context"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// SFU says who is in a room.
type SFU interface {
	// Session returns the participant.sid of identity in room, "" when the
	// SFU says that it is not there.
	Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error)
	// Sessions returns the participant.sid of everybody in room.
	Sessions(ctx context.Context, room sfu.Room) (map[sfu.Identity]string, error)
	// RoomSince returns when the room that is there now was made, the zero
	// time when there is none.
	RoomSince(ctx context.Context, room sfu.Room) (time.Time, error)
	// CreateRoom creates the room if it is missing.
	CreateRoom(ctx context.Context, room sfu.Room) error
	// Ping asks for nothing but an answer.
	Ping(ctx context.Context) error
	// Watch holds a connection until the SFU, or something between, ends it;
	// an error says that there was none.
	Watch(ctx context.Context) error
}

// Events manages delayed events; errors are *[matrix.DelayError].
type Events interface {
	Restart(ctx context.Context, server matrix.ServerName, id matrix.DelayID) error
	Send(ctx context.Context, server matrix.ServerName, id matrix.DelayID) error
	Cancel(ctx context.Context, server matrix.ServerName, id matrix.DelayID) error
}
