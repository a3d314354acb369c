package matrix

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// refusalTime is how long a server that asked for authentication is taken
	// to go on doing so: until it has had time to answer the next probe.
	refusalTime = 10*time.Minute + probeTimeout
	// maxRefusals bounds the servers remembered of each class; one more takes the
	// place of the one that asked for authentication longest ago.
	maxRefusals = 4096
	// probeTimeout bounds one probe, the search for the API included.
	probeTimeout = 15 * time.Second
	// probers is how many servers are probed at once.
	probers = 8
)

// ErrNeedsToken says that a server manages delayed events for those alone who
// authenticate, which a standalone service cannot.
var ErrNeedsToken = errors.New("the homeserver manages delayed events only with an access token (401 M_MISSING_TOKEN)")

// refusals remembers until when servers are taken to ask for authentication. What
// strangers name takes no place of servers that the operator named.
type refusals struct {
	mu    sync.Mutex
	until pair[*simplelru.LRU[ServerName, time.Time]]
}

// learn is told what a server answered to the management of an event.
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

// add reports whether server, of that class, is new.
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

// of returns what is remembered of a class. The lock is held.
func (r *refusals) of(named bool) *simplelru.LRU[ServerName, time.Time] {
	class := r.until.of(named)
	if *class == nil {
		*class, _ = simplelru.NewLRU[ServerName, time.Time](maxRefusals, nil) // fails for sizes ≤ 0 only
	}
	return *class
}

// Refuses reports whether server has asked for authentication within some
// 10 min, and has not managed an event for us since.
func (d *DelayedEvents) Refuses(server ServerName) bool {
	return d.refusals.has(server, d.APIs.isNamed(server), time.Now())
}

// Manageable returns nil if, for all that is known, delayed events of server
// can be managed: its Client-Server API is found and asks for no
// authentication. Otherwise the error is [ErrNeedsToken] or a
// *[ClientAPIError].
func (d *DelayedEvents) Manageable(ctx context.Context, server ServerName) error {
	if d.Refuses(server) {
		return ErrNeedsToken
	}
	return d.APIs.Check(ctx, server)
}

// nobodysDelay is an id that no server gives out.
var nobodysDelay = DelayID{"matrixrtc-auth-probe"}

// Probe asks servers to restart an event that does not exist, to learn which
// of them need authentication; a 404 M_NOT_FOUND says that all is well. It
// returns when all have answered, or ctx ends; [DelayedEvents.Refuses] knows
// the outcome.
func (d *DelayedEvents) Probe(ctx context.Context, servers []ServerName) {
	var running sync.WaitGroup
	slots := make(chan struct{}, probers)
	for _, server := range servers {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			_ = d.manage(ctx, server, UserID{}, nobodysDelay, "restart") // learn hears what matters
		})
	}
	running.Wait()
}
