package sfu

import (
	"context"
	"fmt"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
)

// CreateTestRoom creates a room that admits at most the given number of
// participants. While nobody is in the room, it stays open for lifetime, both
// before the first participant joins and after the last one has left. lifetime is
// in whole seconds. An error is an [*Error].
func (c *Client) CreateTestRoom(ctx context.Context, room Room, lifetime time.Duration, most int) error {
	grant := auth.VideoGrant{RoomCreate: true}
	return c.call(ctx, "CreateRoom", &grant, func(ctx context.Context) error {
		answer, err := c.rooms.CreateRoom(ctx, &livekit.CreateRoomRequest{
			Name:             string(room),
			EmptyTimeout:     uint32(lifetime / time.Second),
			DepartureTimeout: uint32(lifetime / time.Second),
			MaxParticipants:  uint32(most),
		})
		// An empty body is also a valid protobuf message, so check that the
		// answer names the room.
		if err == nil && answer.Name != string(room) {
			return &notTwirpError{fmt.Sprintf("room %q instead of %q", answer.Name, room)}
		}
		return err
	})
}
