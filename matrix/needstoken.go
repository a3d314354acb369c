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
	// it has required it once. It is long enough for the next probe to get its
	// answer.
	refusalTime = 10*time.Minute + probeTimeout
	// maxRefusals bounds how many servers of each class are remembered. If
	// there is one more, it replaces the server that refused longest ago.
	maxRefusals = 4096
	// probeTimeout bounds one probe, including the search for the API.
	probeTimeout = 15 * time.Second
	// probers is how many servers are probed at once.
	probers = 8
)

// ErrNeedsToken says that a server manages delayed events only for requests
// with authentication. Without a registration at that server, this service
// cannot make such requests.
var ErrNeedsToken = errors.New("the homeserver manages delayed events only with an access token (401 M_MISSING_TOKEN)")

// refusals remembers which servers require authentication, and until when. It
// keeps named servers apart from all others, so that strangers' servers cannot
// push out named ones.
type refusals struct {
	mu    sync.Mutex
	until pair[*simplelru.LRU[ServerName, time.Time]]
}

// learn records how server answered an action on an event. After a 401
// M_MISSING_TOKEN ([ResultNeedsToken]), this service takes over no more leaves
// of the server's users. The keeper goes on with the leaves that it has.
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

// add records that server requires authentication. It returns true if that was
// not known before.
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

// of returns the remembered servers of a class. The caller holds the lock.
func (r *refusals) of(named bool) *simplelru.LRU[ServerName, time.Time] {
	class := r.until.of(named)
	if *class == nil {
		*class, _ = simplelru.NewLRU[ServerName, time.Time](maxRefusals, nil) // lru.New fails only for a size below 1
	}
	return *class
}

// Refuses reports whether server has required authentication in about the last
// 10 min, and has not managed an event for this service since. If so, this
// service takes over no leave of the server's users.
func (d *DelayedEvents) Refuses(server ServerName) bool {
	return d.refusals.has(server, d.APIs.isNamed(server), time.Now())
}

// Manageable returns an error if it is known that this service cannot manage
// delayed events of server: [ErrNeedsToken] or a *[ClientAPIError]. If it
// returns nil, the Client-Server API of server is known, and does not require
// authentication as far as is known.
func (d *DelayedEvents) Manageable(ctx context.Context, server ServerName) error {
	if d.Refuses(server) {
		return ErrNeedsToken
	}
	return d.APIs.Check(ctx, server)
}

// nobodysDelay is a delay id that no server assigns to an event.
var nobodysDelay = DelayID{"matrixrtc-auth-probe"}

// Probe finds out which servers require authentication. It asks each server to
// restart an event that does not exist. A server that answers 404 M_NOT_FOUND
// does not require authentication. Probe returns when all servers have
// answered, or when ctx ends. After that, [DelayedEvents.Refuses] returns the
// result.
func (d *DelayedEvents) Probe(ctx context.Context, servers []ServerName) {
	var running sync.WaitGroup
	permits := make(chan struct{}, probers)
	for _, server := range servers {
		permits <- struct{}{}
		running.Go(func() {
			defer func() { <-permits }()
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			_ = d.manage(ctx, server, UserID{}, nobodysDelay, "restart") // the method learn records the result
		})
	}
	running.Wait()
}
