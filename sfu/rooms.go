package sfu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/timing"
)

const (
	// memory is how long a confirmed room counts as existing. It is much
	// shorter than the 20 s after which LiveKit closes a room that everybody
	// has left.
	memory = 5 * time.Second
	// maxConfirmed bounds how many rooms are remembered. Each room takes about
	// 200 bytes. If users ask for more rooms within 5 s, each room over the
	// bound costs one more call.
	maxConfirmed = 4096
	// maxEnsuring bounds how many calls run at the same time. Calls can pile up
	// while the SFU does not answer: each call then takes up to 10 s, even if its
	// callers have left.
	maxEnsuring = 512
)

// Creator makes sure that a room exists on the SFU. CreateRoom must be
// idempotent and return within seconds. [Client] is a Creator.
type Creator interface {
	CreateRoom(ctx context.Context, room Room) error
}

// Rooms makes sure that a room exists before the service issues tokens for it. It
// makes as few calls of the SFU as possible. Several goroutines may use it at the
// same time.
type Rooms struct {
	creator   Creator
	calls     singleflight.Group // shares a running call between requests; the key is the room
	ensuring  chan struct{}      // holds one value for each running call
	confirmed *lru.Cache[Room, confirmation]
	// life changes each time the SFU has been away. While Watch has no connection,
	// life is the constant disconnected. A confirmation counts as long as life has
	// the value that it had when Rooms sent the call of CreateRoom. lives is the
	// highest value of life so far.
	life, lives atomic.Int64
}

// confirmation records that the SFU has found or created a room.
type confirmation struct {
	// sent is when the call was sent. The time of the answer would be too late:
	// CreateRoom does not restart the timeouts of an existing room (300 s after
	// the room's creation, 20 s after the last participant left), so they go on
	// while the answer is on its way.
	sent time.Time
	life int64 // the value of Rooms.life when the call was sent
	// closed is when the SFU said that it has closed the room. If a call of
	// CreateRoom was sent before that time, its answer confirms nothing.
	closed time.Time
}

// NewRooms returns a Rooms that creates rooms with creator.
func NewRooms(creator Creator) *Rooms {
	confirmed, err := lru.New[Room, confirmation](maxConfirmed)
	if err != nil {
		panic(err) // impossible: lru.New fails only for a size below 1
	}
	return &Rooms{creator: creator, ensuring: make(chan struct{}, maxEnsuring), confirmed: confirmed}
}

// Ensure returns nil if room exists on the SFU. If the SFU has confirmed the room
// in a call that was sent less than 5 s ago, Ensure makes no call. Otherwise it
// calls the SFU now. A confirmation no longer counts after the connection to the
// SFU was lost ([Rooms.Watch]), or after the SFU closed the room ([Rooms.Forget]).
//
// Concurrent requests for one room share a call. If the ctx of one caller ends,
// that caller returns immediately, and the call goes on for the other callers. All
// waiting callers get the error of a failed call, but later callers do not. An
// error is an [*Error] or a *[fault.Error]. If calls for 512 other rooms are
// running, Ensure immediately returns [CauseBusy].
//
// created reports whether this request made the call.
func (r *Rooms) Ensure(ctx context.Context, room Room) (created bool, err error) {
	if r.isConfirmed(room) {
		return false, nil
	}
	mine := false
	call := r.calls.DoChan(string(room), func() (any, error) {
		return fault.Catch(func() (any, error) {
			var err error
			mine, err = r.ensure(context.WithoutCancel(ctx), room)
			return nil, err
		})
	})
	select {
	case result := <-call:
		return mine && result.Err == nil, result.Err
	case <-ctx.Done():
		return false, abandoned(ctx)
	}
}

// ensure creates the room, unless another call has created it in the meantime. The
// result made says whether ensure called the SFU.
func (r *Rooms) ensure(ctx context.Context, room Room) (made bool, err error) {
	if r.isConfirmed(room) {
		return false, nil
	}
	select {
	case r.ensuring <- struct{}{}:
		defer func() { <-r.ensuring }()
	default:
		return false, &Error{Op: "CreateRoom", Cause: CauseBusy, Err: errBusy}
	}
	return true, r.create(ctx, room)
}

var errBusy = fmt.Errorf("this service already waits for the SFU to confirm %d other rooms", maxEnsuring)

func (r *Rooms) isConfirmed(room Room) bool {
	c, ok := r.confirmed.Peek(room) // Peek leaves the order of use unchanged, so it takes only a read lock
	life := r.life.Load()
	return ok && c.life == life && life != disconnected && time.Since(c.sent) < memory
}

func (r *Rooms) create(ctx context.Context, room Room) error {
	asked := confirmation{sent: time.Now(), life: r.life.Load()}
	if err := r.creator.CreateRoom(ctx, room); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && !e.Answered {
			r.newLife() // Watch may not notice that the SFU is away, because its connection may lead only to a proxy and stay open
		}
		return err
	}
	if known, ok := r.confirmed.Peek(room); ok && known.closed.After(asked.sent) {
		return nil
	}
	r.confirmed.Add(room, asked)
	return nil
}

// Forget makes room count as unconfirmed, because the SFU has closed it. If a
// call for room is still running, its result does not count either.
func (r *Rooms) Forget(room Room) {
	r.confirmed.Add(room, confirmation{life: disconnected, closed: time.Now()})
}

// Holder holds a connection to the SFU until the connection breaks or ctx ends.
// When there is a connection, Hold calls opened. Hold returns an error only if it
// could not connect. [Client] is a Holder.
type Holder interface {
	Hold(ctx context.Context, opened func()) error
}

// disconnected is the value of Rooms.life while Watch has no connection to the SFU.
// Then no confirmation counts.
const disconnected = -1

// These are the pauses between two connections of Watch to the SFU. Watch makes
// the short pause after a connection that lasted longer than reconnectLater.
// Otherwise it makes the long pause.
const (
	reconnectSoon  = 100 * time.Millisecond
	reconnectLater = time.Second
)

// Watch holds a connection to the SFU until ctx ends. An SFU without Redis
// loses its rooms when it restarts, and a client that has a token for a
// missing room gives up. So when the connection breaks, all rooms count as
// unconfirmed until there is a new connection. Call Watch only once.
func (r *Rooms) Watch(ctx context.Context, holder Holder) {
	r.life.Store(disconnected)
	for ctx.Err() == nil {
		began := time.Now()
		err := holder.Hold(ctx, func() { r.life.Store(r.lives.Add(1)) })
		r.life.Store(disconnected)
		pause := reconnectLater
		if err == nil && time.Since(began) > reconnectLater {
			pause = reconnectSoon
		}
		timing.Sleep(ctx, pause)
	}
}

// newLife makes all confirmed rooms count as unconfirmed.
func (r *Rooms) newLife() {
	if life := r.life.Load(); life != disconnected {
		r.life.CompareAndSwap(life, r.lives.Add(1))
	}
}

// abandoned returns the error for a caller whose ctx ends before the answer.
func abandoned(ctx context.Context) *Error {
	cause := CauseCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		cause = CauseTimeout
	}
	return &Error{Op: "CreateRoom", Cause: cause, Err: ctx.Err()}
}
