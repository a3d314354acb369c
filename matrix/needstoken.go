package matrix

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// refusalTime is how long a server counts as requiring authentication after
	// it did so once: until the next probe has had time for an answer.
	refusalTime = 10*time.Minute + probeTimeout
	// maxRefusals bounds the servers remembered of each class. One more replaces
	// the one that refused longest ago.
	maxRefusals = 4096
	// probeTimeout bounds one probe, the search for the API included.
	probeTimeout = 15 * time.Second
	// probers is how many servers are probed at once.
	probers = 8
)

// ErrNeedsToken says that a server manages delayed events only for
// authenticated requests, which a standalone service cannot make.
var ErrNeedsToken = errors.New("the homeserver manages delayed events only with an access token (401 M_MISSING_TOKEN)")

// refusals remembers which servers require authentication, and until when.
// Named servers and all others have separate places.
type refusals struct {
	mu    sync.Mutex
	until pair[*simplelru.LRU[ServerName, time.Time]]
}

// learn records how server answered an action on an event.
func (d *DelayedEvents) learn(server ServerName, result Result) {
	switch result {
	case ResultNeedsToken:
		if d.refusals.add(server, d.APIs.isNamed(server), time.Now()) && d.Refused != nil {
			d.Refused(server)
		}
	case ResultDone, ResultGone:
		d.refusals.remove(server, d.APIs.isNamed(server))
	}
}

// add reports whether server was not in its class before.
func (r *refusals) add(server ServerName, named bool, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, known := r.of(named).Get(server)
	r.of(named).Add(server, now.Add(refusalTime))
	return !known || !now.Before(until)
}

func (r *refusals) remove(server ServerName, named bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(named).Remove(server)
}

func (r *refusals) has(server ServerName, named bool, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, known := r.of(named).Peek(server)
	return known && now.Before(until)
}

// of returns the servers remembered of a class. The lock is held.
func (r *refusals) of(named bool) *simplelru.LRU[ServerName, time.Time] {
	class := r.until.of(named)
	if *class == nil {
		*class, _ = simplelru.NewLRU[ServerName, time.Time](maxRefusals, nil) // only a size ≤ 0 fails
	}
	return *class
}

// Refuses reports whether server has required authentication in the last 10 min
// or so, and has managed no event for this service since.
func (d *DelayedEvents) Refuses(server ServerName) bool {
	return d.refusals.has(server, d.APIs.isNamed(server), time.Now())
}

// Manageable returns nil if delayed events of server can be managed, as far as
// is known: its Client-Server API was found and requires no authentication.
// Otherwise the error is [ErrNeedsToken] or a *[ClientAPIError].
func (d *DelayedEvents) Manageable(ctx context.Context, server ServerName) error {
	if d.Refuses(server) {
		return ErrNeedsToken
	}
	return d.APIs.Check(ctx, server)
}

// nobodysDelay is an id that no server assigns.
var nobodysDelay = DelayID{"matrixrtc-auth-probe"}

// Probe asks each server to restart an event that does not exist, to learn
// which servers require authentication. A 404 M_NOT_FOUND means that the server
// does not. Probe returns when all have answered, or ctx ends.
// [DelayedEvents.Refuses] then returns the outcome.
func (d *DelayedEvents) Probe(ctx context.Context, servers []ServerName) {
	var running sync.WaitGroup
	permits := make(chan struct{}, probers)
	for _, server := range servers {
		permits <- struct{}{}
		running.Go(func() {
			defer func() { <-permits }()
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			_ = d.manage(ctx, server, UserID{}, nobodysDelay, "restart") // learn records the result
		})
	}
	running.Wait()
}
