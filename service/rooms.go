package service

import (
	"context"
	"sync"

	"matrixrtc-auth/sfu"
)

// startRooms returns an sfu.Rooms, which creates rooms on the SFU. It watches
// the SFU until the caller calls end.
func (s *shared) startRooms() (rooms *sfu.Rooms, end func()) {
	client := s.newSFUClient()
	rooms = sfu.NewRooms(client)
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { rooms.Watch(ctx, client) })
	return rooms, func() {
		cancel()
		watching.Wait()
	}
}
