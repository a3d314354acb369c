package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
)

// roomCounter is a fake SFU on which every room exists. It implements only
// ListRooms, and counts its calls. The service calls ListRooms to make sure
// that a room exists.
type roomCounter struct {
	livekit.RoomService
	asked atomic.Int64
}

// ListRooms answers that all requested rooms exist.
func (c *roomCounter) ListRooms(_ context.Context, r *livekit.ListRoomsRequest) (*livekit.ListRoomsResponse, error) {
	c.asked.Add(1)
	answer := &livekit.ListRoomsResponse{}
	for _, name := range r.Names {
		answer.Rooms = append(answer.Rooms, &livekit.Room{Sid: "RM_bench", Name: name, CreationTime: time.Now().Unix()})
	}
	return answer, nil
}

func (c *roomCounter) counts() any { return counts{Requests: c.asked.Load()} }

func serveSFU() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	rooms := &roomCounter{}
	go http.Serve(listener, livekit.NewRoomServiceServer(rooms))
	return obey(hello{Addr: listener.Addr().String()}, map[string]func() any{"counts": rooms.counts})
}
