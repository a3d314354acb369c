package sfu

import (
	"context"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	// memory is how long a confirmed room is taken to exist. It is a small
	// part of the 20 s after which LiveKit closes a room that everybody left.
	memory = 5 * time.Second
	// maxConfirmed bounds the rooms remembered, about 200 bytes each. More
	// rooms than this within 5 s cost a call more than necessary.
	maxConfirmed = 4096
)

// Creator makes sure that a room exists on the SFU. CreateRoom is idempotent
// and returns within seconds, whatever happens; [Client] is one.
type Creator interface {
	CreateRoom(ctx context.Context, room Room) error
}

// Rooms makes sure that rooms exist before tokens for them are issued, with as
// few calls as possible. It may be used by several goroutines at once.
type Rooms struct {
	creator Creator
	calls   singleflight.Group // by room
	// confirmed holds when the call that found or made a room was sent, not
	// when its answer came: the SFU may have looked as early as that, and the
	// room's clocks (300 s from its creation, 20 s from the last departure)
	// run since then. CreateRoom does not restart them.
	confirmed *lru.Cache[Room, time.Time]
}

// NewRooms returns Rooms that asks creator.
func NewRooms(creator Creator) *Rooms {
	confirmed, err := lru.New[Room, time.Time](maxConfirmed)
	if err != nil {
		panic(err) // its only error is a size below 1
	}
	return &Rooms{creator: creator, confirmed: confirmed}
}

// Ensure returns nil when room exists on the SFU: because the SFU confirmed it
// in a call sent less than 5 s ago, or because it does so now. Requests for one
// room at one time share a call, which no single caller's ctx ends; a caller
// whose ctx ends returns at once. A failure is told to all who waited for it
// and then forgotten. Errors are an [*Error].
//
// created reports that this request made the call; false means that it was
// saved.
func (r *Rooms) Ensure(ctx context.Context, room Room) (created bool, err error) {
	if r.isConfirmed(room) {
		return false, nil
	}
	mine := false
	call := r.calls.DoChan(string(room), func() (any, error) {
		if r.isConfirmed(room) { // between the look above and here
			return nil, nil
		}
		mine = true
		return nil, r.create(context.WithoutCancel(ctx), room)
	})
	select {
	case result := <-call:
		return mine && result.Err == nil, result.Err
	case <-ctx.Done():
		return false, abandoned(ctx)
	}
}

func (r *Rooms) isConfirmed(room Room) bool {
	sent, ok := r.confirmed.Peek(room) // a read lock; order by use is worth nothing here
	return ok && time.Since(sent) < memory
}

func (r *Rooms) create(ctx context.Context, room Room) error {
	sent := time.Now()
	if err := r.creator.CreateRoom(ctx, room); err != nil {
		return err
	}
	r.confirmed.Add(room, sent)
	return nil
}

// abandoned is the error of a caller that did not wait for the answer.
func abandoned(ctx context.Context) *Error {
	cause := CauseCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		cause = CauseTimeout
	}
	return &Error{Op: "CreateRoom", Cause: cause, Err: ctx.Err()}
}
