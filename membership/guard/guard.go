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
	// Remove ends the session that identity has in room at the time when the
	// call reaches the SFU.
	Remove(ctx context.Context, room sfu.Room, identity sfu.Identity) error
	// Reachable reports whether a node of the SFU holds the session of identity.
	Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error)
}

// Members says who is joined. An error means that the answer is unknown.
type Members interface {
	// IsJoinedNow asks the homeserver whether user is joined to room. It uses no
	// answer to a request that was sent before the call.
	IsJoinedNow(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	// Forget drops the cached answer about user in room.
	Forget(room matrix.RoomID, user matrix.UserID)
}

// RoomMembers says which of several users are joined to a room. An error means
// that the answer is unknown.
type RoomMembers interface {
	// AreJoinedNow asks the homeserver one question about all users. It uses no
	// answer to a request that was sent before the call. The answers are in the
	// order of users.
	AreJoinedNow(ctx context.Context, room matrix.RoomID, users []matrix.UserID) ([]bool, error)
}

// Opener opens tickets. Open gets the text of a ticket, and the place on the SFU
// of the participant who has the ticket. It returns the ticket, and the place for
// which the ticket was made.
type Opener interface {
	Open(text string, at ticket.Place) (ticket.Ticket, ticket.Place, error)
}

// Guard guards one SFU. Its fields must not change after the first use. A field
// is required unless its comment says otherwise.
type Guard struct {
	SFU     SFU
	Members Members
	// Rooms answers the questions of sweeps, one question about each room. If
	// Rooms is nil, a sweep asks Members about each person.
	Rooms   RoomMembers
	Tickets Opener
	// Issuer identifies the tickets of this service.
	Issuer ticket.Issuer
	// Board is the state that all replicas share.
	Board Board
	// Holder is the name of this process among the replicas.
	Holder string
	// Shared says that webhooks and events may reach other replicas instead of
	// this process.
	Shared bool
	// Interval is the time between two sweeps. 0 means no sweeps.
	Interval time.Duration
	// Pushed reports whether the homeserver pushes events to this service. If
	// so, a sweep every ten minutes is enough. If Pushed is nil, the homeserver
	// pushes no events.
	Pushed func() bool
	// Unbraked switches the brake off. The guard may then remove any number of
	// persons at the same time. The operator sets it.
	Unbraked bool
	// Jitter returns a random time near d. If Jitter is nil, the guard uses
	// times that differ from d by at most a tenth.
	Jitter func(d time.Duration) time.Duration
	// Metrics counts the questions and removals.
	Metrics metrics.Metrics
	Log     *slog.Logger

	once    sync.Once
	orders  *orders
	rooms   index
	listing sync.Mutex // held while a caller lists all rooms; other callers wait for that list
	// counting is held while a caller counts the persons whom the guard may remove.
	counting sync.Mutex
	pace     pacer
	kept     refusals
	changes  changes
	brake    brake
	counts   counts
}

const (
	// After a join or an event, the guard asks the homeserver about one person.
	// maxOrders bounds how many persons may wait for that question. Each takes
	// about 200 bytes.
	maxOrders = 4096
	// workers bounds how many of the questions after joins and events run at the
	// same time.
	workers = 32
	// askTime bounds a question to the homeserver. sfuTime bounds a call of the
	// SFU.
	askTime = 5 * time.Second
	sfuTime = 5 * time.Second
	// maxAge is how old an answer "no" may be when the guard removes somebody
	// because of it. The guard uses a "no" for up to keepNo, and then still
	// needs time to find the session. So maxAge is a second longer than
	// keepNo.
	maxAge = 6 * time.Second
)

func (g *Guard) init() {
	g.once.Do(func() {
		g.orders = newOrders()
		g.counts.start(g.Metrics, time.Now())
	})
}

// Run removes from the SFU people who are not joined to the Matrix room, until ctx
// ends.
func (g *Guard) Run(ctx context.Context) {
	g.init()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { g.work(ctx) })
	}
	running.Go(func() { g.patrol(ctx) })
	running.Wait()
}
