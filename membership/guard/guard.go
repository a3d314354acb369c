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

// SFU is what the guard needs of the SFU. An error means that the answer is
// unknown.
type SFU interface {
	ListRooms(ctx context.Context) ([]sfu.Room, error)
	Participants(ctx context.Context, room sfu.Room) ([]sfu.Participant, error)
	// Remove ends the session that identity has in room when the call reaches the
	// SFU.
	Remove(ctx context.Context, room sfu.Room, identity sfu.Identity) error
	// Reachable reports whether a node of the SFU holds that session.
	Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error)
}

// Members says who is joined. An error means that this is unknown.
type Members interface {
	// IsJoinedNow asks a question that begins after the call.
	IsJoinedNow(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	// Forget drops the cached answer about user in room.
	Forget(room matrix.RoomID, user matrix.UserID)
}

// RoomMembers says which of several users are joined to a room. An error means
// that this is unknown.
type RoomMembers interface {
	// AreJoinedNow asks one question that begins after the call. Its answers are
	// in the order of users.
	AreJoinedNow(ctx context.Context, room matrix.RoomID, users []matrix.UserID) ([]bool, error)
}

// Opener opens tickets, and returns the place to which each ticket belongs.
type Opener interface {
	Open(text string, at ticket.Place) (ticket.Ticket, ticket.Place, error)
}

// Guard guards one SFU. Its fields must not change after the first use. They
// are required, unless their comment says otherwise.
type Guard struct {
	SFU     SFU
	Members Members
	// Rooms is asked by sweeps if one question can answer for a whole room; nil
	// if there is one question for each person.
	Rooms   RoomMembers
	Tickets Opener
	// Issuer identifies the tickets of this service.
	Issuer ticket.Issuer
	// Board is the state that the replicas share.
	Board Board
	// Holder identifies this process among the replicas.
	Holder string
	// Shared says that webhooks and events may reach other replicas instead of
	// this one.
	Shared bool
	// Interval is the time between two sweeps. 0 means no sweeps.
	Interval time.Duration
	// Pushed reports whether the homeserver pushes events to this service. Then a
	// sweep every ten minutes is enough. nil means that it does not.
	Pushed func() bool
	// Unbraked lets the guard remove any number of people at once, as the
	// operator has set.
	Unbraked bool
	// Jitter returns a time near d. nil means a random one, within a tenth.
	Jitter func(d time.Duration) time.Duration
	// Metrics counts the questions and removals.
	Metrics metrics.Metrics
	Log     *slog.Logger

	once    sync.Once
	orders  *orders
	rooms   index
	listing sync.Mutex // held while all rooms are listed for several callers
	// counting is held while the enforced persons are counted.
	counting sync.Mutex
	pace     pacer
	kept     refusals
	changes  changes
	brake    brake
	counts   counts
}

const (
	// maxOrders bounds the persons who wait for a question because of a join or
	// an event, about 200 bytes each.
	maxOrders = 4096
	// workers bounds the orders that are processed at once.
	workers = 32
	// askTime bounds a question, sfuTime a call of the SFU.
	askTime = 5 * time.Second
	sfuTime = 5 * time.Second
	// maxAge is how old an answer may be when it removes somebody: a no that was
	// kept, and the time to find the session.
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
