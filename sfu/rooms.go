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
)

const (
	// memory is how long a confirmed room is taken to exist. It is a small
	// part of the 20 s after which LiveKit closes a room that everybody left.
	memory = 5 * time.Second
	// maxConfirmed bounds the rooms remembered, about 200 bytes each. More
	// rooms than this within 5 s cost a call more than necessary.
	maxConfirmed = 4096
	// maxEnsuring bounds the calls under way. They go on when those who wanted the
	// room have left, for up to 10 s while the SFU does not answer.
	maxEnsuring = 512
)

// Creator makes sure that a room exists on the SFU. CreateRoom is idempotent
// and returns within seconds, whatever happens; [Client] is one.
type Creator interface {
	CreateRoom(ctx context.Context, room Room) error
}

// Rooms makes sure that rooms exist before tokens for them are issued, with as
// few calls as possible. It may be used by several goroutines at once.
type Rooms struct {
	creator   Creator
	calls     singleflight.Group // by room
	ensuring  chan struct{}      // one for each call under way
	confirmed *lru.Cache[Room, confirmation]
	// life numbers the time since the SFU was last away; it is disconnected while
	// Watch has no connection. lives is the highest number so far.
	life, lives atomic.Int64
}

// confirmation is what is remembered of a room that the SFU found or made.
type confirmation struct {
	// sent is when it was asked, not when the answer came: the SFU may have
	// looked as early as that, and the room's clocks (300 s from its creation,
	// 20 s from the last departure) run since then. CreateRoom does not restart
	// them.
	sent time.Time
	life int64 // then
	// closed is when the SFU said that it has closed the room. What was sent
	// earlier says nothing of the room any more.
	closed time.Time
}

// NewRooms returns Rooms that asks creator.
func NewRooms(creator Creator) *Rooms {
	confirmed, err := lru.New[Room, confirmation](maxConfirmed)
	if err != nil {
		panic(err) // its only error is a size below 1
	}
	return &Rooms{creator: creator, ensuring: make(chan struct{}, maxEnsuring), confirmed: confirmed}
}

// Ensure returns nil when room exists on the SFU: because the SFU confirmed it
// in a call sent less than 5 s ago, or because it does so now; with [Rooms.Watch]
// what it said before its connection broke is forgotten, and with [Rooms.Forget]
// what it said of a room that it has closed since. Requests for one
// room at one time share a call, which no single caller's ctx ends; a caller
// whose ctx ends returns at once. A failure is told to all who waited for it
// and then forgotten. Errors are an [*Error], or a *[fault.Error]; [CauseBusy] says at once that 512
// other rooms are being asked for.
//
// created reports that this request made the call; false means that it was
// saved.
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

// ensure has the room be made, unless it was between the look above and here.
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

var errBusy = fmt.Errorf("%d rooms are being asked for, and the SFU has not answered yet", maxEnsuring)

func (r *Rooms) isConfirmed(room Room) bool {
	c, ok := r.confirmed.Peek(room) // a read lock; order by use is worth nothing here
	life := r.life.Load()
	return ok && c.life == life && life != disconnected && time.Since(c.sent) < memory
}

func (r *Rooms) create(ctx context.Context, room Room) error {
	asked := confirmation{sent: time.Now(), life: r.life.Load()}
	if err := r.creator.CreateRoom(ctx, room); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && !e.Answered {
			r.newLife() // a proxy may hide from Watch that the SFU is away
		}
		return err
	}
	if known, ok := r.confirmed.Peek(room); ok && known.closed.After(asked.sent) {
		return nil
	}
	r.confirmed.Add(room, asked)
	return nil
}

// Forget has room count as unconfirmed, also where a call is under way: the SFU
// has closed it.
func (r *Rooms) Forget(room Room) {
	r.confirmed.Add(room, confirmation{life: disconnected, closed: time.Now()})
}

// Holder holds a connection to the SFU until that ends or ctx does, and calls
// opened when it is there. An error says that there was none; [Client] is one.
type Holder interface {
	Hold(ctx context.Context, opened func()) error
}

// disconnected is the life of Rooms while Watch has no connection.
const disconnected = -1

// Pauses between two connections of Watch: after one that had lasted longer than
// the long pause, and after any other.
const (
	reconnectSoon  = 100 * time.Millisecond
	reconnectLater = time.Second
)

// Watch holds a connection to the SFU until ctx ends. Whenever it breaks, all
// rooms count as unconfirmed, and so they do while there is none: an SFU without
// Redis that restarts has no rooms, and a client that comes with a token for a
// room that is not there gives up. Call it once.
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
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// newLife has all rooms count as unconfirmed.
func (r *Rooms) newLife() {
	if life := r.life.Load(); life != disconnected {
		r.life.CompareAndSwap(life, r.lives.Add(1))
	}
}

// abandoned is the error of a caller that did not wait for the answer.
func abandoned(ctx context.Context) *Error {
	cause := CauseCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		cause = CauseTimeout
	}
	return &Error{Op: "CreateRoom", Cause: cause, Err: ctx.Err()}
}
