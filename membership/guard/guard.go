package guard

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// SFU is what is asked of the SFU. Errors mean: unknown.
type SFU interface {
	ListRooms(ctx context.Context) ([]sfu.Room, error)
	Participants(ctx context.Context, room sfu.Room) ([]sfu.Participant, error)
	// Remove ends the session that identity has in room when the call arrives.
	Remove(ctx context.Context, room sfu.Room, identity sfu.Identity) error
	// Reachable reports whether a node of the SFU holds that session.
	Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error)
}

// Members says who is joined. An error means: unknown.
type Members interface {
	// IsJoinedNow asks a question that begins after the call.
	IsJoinedNow(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	// Forget drops what others are still told of user in room.
	Forget(room matrix.RoomID, user matrix.UserID)
}

// RoomMembers says who is joined for several users of a room at once. An error
// means: unknown.
type RoomMembers interface {
	// AreJoinedNow asks one question that begins after the call. The answer has the
	// order of users.
	AreJoinedNow(ctx context.Context, room matrix.RoomID, users []matrix.UserID) ([]bool, error)
}

// Opener opens tickets, and says whose place each is.
type Opener interface {
	Open(text string, at ticket.Place) (ticket.Ticket, ticket.Place, error)
}

// Guard guards one SFU. Its fields must not change after the first use; those
// without another word are required.
type Guard struct {
	SFU     SFU
	Members Members
	// Rooms is what sweeps ask where one question answers for a whole room; nil
	// where there is one for each person.
	Rooms   RoomMembers
	Tickets Opener
	// Issuer marks the tickets of this service.
	Issuer ticket.Issuer
	// Board is what the replicas have in common.
	Board Board
	// Holder names this process among the replicas.
	Holder string
	// Shared says that webhooks and events may go to other replicas.
	Shared bool
	// Interval is the time between two sweeps; 0 for none.
	Interval time.Duration
	// Pushed reports whether the homeserver pushes events to this service: then
	// a sweep every ten minutes is enough. nil: it does not.
	Pushed func() bool
	// Unbraked says that the operator wants people removed, however many.
	Unbraked bool
	// Jitter returns a time near d; nil for at random, within a tenth.
	Jitter func(d time.Duration) time.Duration
	// Metrics counts what is done.
	Metrics metrics.Metrics
	Log     *slog.Logger

	once    sync.Once
	orders  *orders
	rooms   index
	listing sync.Mutex // of all rooms, where that is shared
	// counting is held while those under enforcement are counted.
	counting sync.Mutex
	pace     pacer
	kept     refusals
	changes  changes
	brake    brake
	counts   counts
}

const (
	// maxOrders bounds the persons who wait to be asked about because of a join
	// or an event, about 200 bytes each.
	maxOrders = 4096
	// workers bounds the orders that are carried out at once.
	workers = 32
	// askTime bounds a question, sfuTime a call of the SFU.
	askTime = 5 * time.Second
	sfuTime = 5 * time.Second
	// maxAge is how old an answer may be that removes somebody: a no that is kept,
	// and the time to find the session.
	maxAge = 6 * time.Second
)

func (g *Guard) init() {
	g.once.Do(func() {
		g.orders = newOrders()
		g.counts.start(g.Metrics, time.Now())
	})
}

// Run guards until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	g.init()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { g.work(ctx) })
	}
	running.Go(func() { g.patrol(ctx) })
	running.Wait()
}

// sleep waits for d, which may be negative, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 { // no timer: one for long ago crashes Go 1.26.8 in tests, with synctest and -race
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
