package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/livekit/protocol/livekit"
)

// roomCounter is an SFU whose rooms all exist; it counts who asks for one.
// The methods it does not have are never called.
type roomCounter struct {
	livekit.RoomService
	created atomic.Int64
}

// CreateRoom answers as the SFU does for a room that exists already.
func (c *roomCounter) CreateRoom(_ context.Context, r *livekit.CreateRoomRequest) (*livekit.Room, error) {
	c.created.Add(1)
	return &livekit.Room{Sid: "RM_bench", Name: r.Name, EmptyTimeout: r.EmptyTimeout}, nil
}

func (c *roomCounter) counts() any { return counts{Requests: c.created.Load()} }

func serveSFU() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	rooms := &roomCounter{}
	go http.Serve(listener, livekit.NewRoomServiceServer(rooms))
	return obey(hello{Addr: listener.Addr().String()}, map[string]func() any{"counts": rooms.counts})
}
