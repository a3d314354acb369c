package matrix

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// refusalTime is how long the service assumes that a server requires
	// authentication, after the server has required it once. The service probes
	// full-access servers every 10 min, and a probe takes at most probeTimeout.
	// So the next probe of such a server ends before refusalTime is over.
	refusalTime = 10*time.Minute + probeTimeout
	// maxRefusals bounds how many refusing servers of each class the service
	// remembers. One class is the servers that the operator named, the other is
	// all other servers. A further server replaces the server that refused
	// longest ago.
	maxRefusals = 4096
	// probeTimeout bounds one probe, including the search for the API.
	probeTimeout = 15 * time.Second
	// probers is how many servers Probe asks at the same time.
	probers = 8
)

// ErrNeedsToken says that a server manages delayed events only for requests
// with authentication. Without a registration at that server, this service
// cannot make such requests.
var ErrNeedsToken = errors.New("the homeserver manages delayed events only with an access token (401 M_MISSING_TOKEN)")

// refusals remembers which servers require authentication. The time of each server
// is until when this service believes so. Servers that the operator named are in a
// list of their own. So other servers cannot take their places in the list.
type refusals struct {
	mu    sync.Mutex
	until pair[*simplelru.LRU[ServerName, time.Time]]
}

// learn records how server answered an action on an event. After a 401
// M_MISSING_TOKEN ([ResultNeedsToken]), this service takes over no more leaves
// of the server's users. But it goes on with the leaves that it has already
// taken over.
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

// add records that server requires authentication. named says whether the
// operator named the server. add returns true if the requirement was not known
// before.
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

// of returns the list for servers that the operator named, or the list for all
// other servers. A list has the servers that require authentication. The caller
// holds the lock.
func (r *refusals) of(named bool) *simplelru.LRU[ServerName, time.Time] {
	class := r.until.of(named)
	if *class == nil {
		*class, _ = simplelru.NewLRU[ServerName, time.Time](maxRefusals, nil) // lru.New fails only for a size below 1
	}
	return *class
}

// Refuses reports whether server has required authentication for a restart, send or
// cancel in about the last 10 min. It returns false again after such a request has
// ended with [ResultDone] or [ResultGone]. If Refuses
// returns true, this service takes over no leave of the server's users.
func (d *DelayedEvents) Refuses(server ServerName) bool {
	return d.refusals.has(server, d.APIs.isNamed(server), time.Now())
}

// Manageable returns nil if this service can manage delayed events of server as
// far as it knows: the Client-Server API of server is known, and server has not
// required authentication. Otherwise the error is [ErrNeedsToken] or a
// *[ClientAPIError].
func (d *DelayedEvents) Manageable(ctx context.Context, server ServerName) error {
	if d.Refuses(server) {
		return ErrNeedsToken
	}
	return d.APIs.Check(ctx, server)
}

// nobodysDelay is a delay id that belongs to no event at any server.
var nobodysDelay = DelayID{"matrixrtc-auth-probe"}

// Probe finds out which servers require authentication. It asks each server to
// restart an event that does not exist. A server that answers 404 M_NOT_FOUND
// does not require authentication. Probe returns when all servers have
// answered, or when ctx ends. Then [DelayedEvents.Refuses] returns what Probe
// has found out.
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
