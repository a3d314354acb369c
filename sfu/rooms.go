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
	// memory is how long a confirmed room counts as existing. It is much shorter
	// than the 20 s after which LiveKit closes a room that everybody has left.
	memory = 5 * time.Second
	// maxConfirmed bounds how many rooms are remembered. Each takes about 200
	// bytes. If more rooms are requested within 5 s, each further room costs one
	// more call.
	maxConfirmed = 4096
	// maxEnsuring bounds the calls that run at once. A call goes on after its
	// callers have left. While the SFU does not answer, that takes up to 10 s.
	maxEnsuring = 512
)

// Creator makes sure that a room exists on the SFU. CreateRoom must be
// idempotent and return within seconds. [Client] is a Creator.
type Creator interface {
	CreateRoom(ctx context.Context, room Room) error
}

// Rooms makes sure that rooms exist before tokens for them are issued. It makes
// as few calls as possible. Several goroutines may use it at once.
type Rooms struct {
	creator   Creator
	calls     singleflight.Group // shares calls; the key is the room
	ensuring  chan struct{}      // holds one value for each running call
	confirmed *lru.Cache[Room, confirmation]
	// life is the number of the SFU's current life, which is the time since the
	// SFU was last away. It is disconnected while Watch has no connection. lives
	// is the highest number so far.
	life, lives atomic.Int64
}

// confirmation records that the SFU has found or created a room.
type confirmation struct {
	// sent is when the call was sent, not when the answer came. The SFU may have
	// found the room at that moment. The room's timeouts (300 s after its
	// creation, 20 s after the last participant left) then go on, because
	// CreateRoom does not restart them.
	sent time.Time
	life int64 // the value of Rooms.life when the call was sent
	// closed is when the SFU said that it has closed the room. A confirmation by
	// a call that was sent earlier no longer counts.
	closed time.Time
}

// NewRooms returns Rooms that create rooms by creator.
func NewRooms(creator Creator) *Rooms {
	confirmed, err := lru.New[Room, confirmation](maxConfirmed)
	if err != nil {
		panic(err) // impossible: lru.New fails only for a size below 1
	}
	return &Rooms{creator: creator, ensuring: make(chan struct{}, maxEnsuring), confirmed: confirmed}
}

// Ensure returns nil if room exists on the SFU: the SFU has confirmed that in a
// call sent less than 5 s ago, or it does so now. With [Rooms.Watch],
// confirmations from before the connection was last lost do not count. With
// [Rooms.Forget], confirmations from before the SFU closed the room do not
// count. Concurrent requests for one room share a call. If the ctx of one
// caller ends, that caller returns at once, and the call goes on for the
// others. A failure goes to all waiting callers, and is not remembered. Errors
// are an [*Error], or a *[fault.Error]. [CauseBusy] is returned at once if
// calls for 512 other rooms are running.
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

// ensure creates the room, unless another call has created it since Ensure
// checked. made reports whether it called the SFU.
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

var errBusy = fmt.Errorf("calls for %d rooms already wait for the SFU's answer", maxEnsuring)

func (r *Rooms) isConfirmed(room Room) bool {
	c, ok := r.confirmed.Peek(room) // Peek takes only a read lock, because it does not change the order of use
	life := r.life.Load()
	return ok && c.life == life && life != disconnected && time.Since(c.sent) < memory
}

func (r *Rooms) create(ctx context.Context, room Room) error {
	asked := confirmation{sent: time.Now(), life: r.life.Load()}
	if err := r.creator.CreateRoom(ctx, room); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && !e.Answered {
			r.newLife() // Watch may not notice that the SFU is away, if it is connected to a proxy
		}
		return err
	}
	if known, ok := r.confirmed.Peek(room); ok && known.closed.After(asked.sent) {
		return nil
	}
	r.confirmed.Add(room, asked)
	return nil
}

// Forget makes room count as unconfirmed, because the SFU has closed it. If a call
// for room is still running, its result will not count either.
func (r *Rooms) Forget(room Room) {
	r.confirmed.Add(room, confirmation{life: disconnected, closed: time.Now()})
}

// Holder holds a connection to the SFU until the connection breaks or ctx ends. It
// calls opened when it is connected. An error says that it could not connect.
// [Client] is a Holder.
type Holder interface {
	Hold(ctx context.Context, opened func()) error
}

// disconnected is the value of Rooms.life while Watch has no connection.
const disconnected = -1

// The pauses between two connections of Watch. After a connection that lasted
// for longer than the long pause, Watch makes the short pause, else the long
// one.
const (
	reconnectSoon  = 100 * time.Millisecond
	reconnectLater = time.Second
)

// Watch holds a connection to the SFU until ctx ends. When the connection
// breaks, and until there is a new one, all rooms count as unconfirmed. The
// reason: an SFU without Redis that restarts has no rooms, and a client with a
// token for a missing room gives up. Call Watch only once.
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

// newLife makes all confirmed rooms unconfirmed.
func (r *Rooms) newLife() {
	if life := r.life.Load(); life != disconnected {
		r.life.CompareAndSwap(life, r.lives.Add(1))
	}
}

// abandoned returns the error for a caller that leaves before the answer.
func abandoned(ctx context.Context) *Error {
	cause := CauseCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		cause = CauseTimeout
	}
	return &Error{Op: "CreateRoom", Cause: cause, Err: ctx.Err()}
}
