package matrix

import (
	"context"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/semaphore"
)

const (
	clientAPILifetime = time.Hour       // how long a good answer is valid
	clientAPIRefusal  = 2 * time.Minute // how long a stranger's definite "no" is valid, for new leaves
	// clientAPIRetry is the time after which a failed look-up is repeated. It
	// is short, because leaves may become due in that time. If an API was found
	// earlier, the pause is clientAPIRecheck, and that API stays in use.
	clientAPIRetry   = 2 * time.Second
	clientAPIRecheck = 5 * time.Second
	clientAPITimeout = 8 * time.Second
	// clientAPIWait is how long a caller waits for a new answer. After that,
	// the caller uses the last good answer.
	clientAPIWait = 500 * time.Millisecond
)

// The bounds on look-ups that run at once at servers that the operator did not
// name. A look-up goes on when its callers have left. One client network gets
// at most half of the permits of all clients. The other half is for networks
// that have few look-ups.
var (
	clientsLookUps = semaphore.Bounds{Total: 128, Share: 4}
	ownLookUps     = semaphore.Bounds{Total: 128}
)

// clientAPIAnswer is what the look-ups have found for one server.
type clientAPIAnswer struct {
	api     ClientAPI       // the API that the last successful look-up found
	err     *ClientAPIError // the error of the last look-up, in a form that may be kept; nil if the look-up found api
	at      time.Time       // when the last look-up ended
	expires time.Time
}

func (a clientAPIAnswer) found() bool   { return a.api.base != "" }
func (a clientAPIAnswer) refused() bool { return a.err != nil && a.err.Definite }

// Find returns the API of server, for an event that server already holds. It
// returns the last API that was found, even if later look-ups have failed.
// Errors are *[ClientAPIError].
func (c *ClientAPIs) Find(ctx context.Context, server ServerName) (ClientAPI, error) {
	now := c.latest(ctx, server, true)
	if !now.found() {
		return ClientAPI{}, now.err
	}
	return now.api, nil
}

// Check returns nil if this service may begin something new at server. For
// that, an API must be known, and the last look-up must not have ended with a
// definite no. Errors are *[ClientAPIError].
func (c *ClientAPIs) Check(ctx context.Context, server ServerName) error {
	now := c.known(server)
	if !now.refused() || c.isNamed(server) || time.Since(now.at) >= clientAPIRefusal {
		now = c.latest(ctx, server, false)
	}
	if now.refused() || !now.found() {
		return now.err
	}
	return nil
}

// known returns the cached answer about server, or the zero value if there is
// none.
func (c *ClientAPIs) known(server ServerName) clientAPIAnswer {
	known, _ := c.class(server).cache.Get(server)
	return known
}

// class returns the cache and the bounds for the class of server: named
// servers, or all others.
func (c *ClientAPIs) class(server ServerName) *apiClass {
	c.init()
	return c.classes.of(c.isNamed(server))
}

func (c *ClientAPIs) init() {
	c.once.Do(func() {
		c.lookUps = inquiry.New[ServerName, outbound.Asker, clientAPIAnswer](semaphore.Bounds{}, semaphore.Bounds{}, clientAPITimeout)
		c.classes.named.cache, _ = lru.New[ServerName, clientAPIAnswer](cacheSize) // lru.New fails only for a size below 1
		c.classes.others.cache, _ = lru.New[ServerName, clientAPIAnswer](cacheSize)
		c.classes.others.lookUps = semaphore.New[outbound.Asker](clientsLookUps)
		c.classes.others.ownLookUps = semaphore.New[outbound.Asker](ownLookUps)
	})
}

// latest returns the cached answer while it is valid, otherwise the answer of a
// look-up. It waits for the look-up as long as boundWait says. If hurry is set,
// that is shorter.
func (c *ClientAPIs) latest(ctx context.Context, server ServerName, hurry bool) clientAPIAnswer {
	known := c.known(server)
	if time.Now().Before(known.expires) {
		return known
	}
	waiting, cancel := known.boundWait(ctx, hurry)
	defer cancel()
	now, err := c.lookUps.Ask(waiting, server, outbound.AskerOf(ctx), func(ctx context.Context) clientAPIAnswer {
		return c.lookUp(ctx, server)
	})
	_, ours := errors.AsType[*fault.Error](err)
	switch {
	case err == nil:
		return now
	case ours || !known.found():
		known.err = &ClientAPIError{Server: server, Err: err}
	}
	return known
}

// boundWait returns a context for the wait for a new answer. If an API is known
// already, the wait is short, so that a slow well-known document cannot make a
// restart too late. If hurry is set and the last look-up failed, the caller
// does not wait at all.
func (a clientAPIAnswer) boundWait(ctx context.Context, hurry bool) (context.Context, context.CancelFunc) {
	wait := clientAPIWait
	switch {
	case !a.found(), a.refused() && !hurry:
		return ctx, func() {}
	case a.err != nil && hurry:
		wait = 0
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/2)
	}
	return context.WithTimeout(ctx, wait)
}

// lookUp looks up the API of server, unless the cached answer is still valid or
// too many look-ups are running. The look-up goes on when its callers have left.
func (c *ClientAPIs) lookUp(ctx context.Context, server ServerName) clientAPIAnswer {
	known := c.known(server)
	if time.Now().Before(known.expires) {
		return known
	}
	release, ok := c.class(server).takeLookUp(outbound.AskerOf(ctx))
	if !ok {
		inquiry.Hold(ctx) // tells other callers not to wait for this look-up
		known.err = &ClientAPIError{Server: server, Err: errManyLookUps}
		return known
	}
	defer release()
	answer := c.ask(ctx, server)
	if now := c.known(server); answer.err != nil && time.Now().Before(now.expires) {
		return now // another caller has looked up the API in the meantime
	}
	c.class(server).cache.Add(server, answer)
	return answer
}

var errManyLookUps = errors.New("too many look-ups of Client-Server APIs are in progress")

// takeLookUp returns true if a look-up for asker may begin. Then the caller
// must call release when the look-up ends.
func (c *apiClass) takeLookUp(asker outbound.Asker) (release func(), ok bool) {
	places := c.lookUps
	if asker == (outbound.Asker{}) {
		places = c.ownLookUps
	}
	if places == nil {
		return func() {}, true
	}
	return places.TryAcquire(asker)
}

// ask finds the API of server and asks it for its versions. If it finds no API,
// the answer keeps the old API.
func (c *ClientAPIs) ask(ctx context.Context, server ServerName) clientAPIAnswer {
	api, err := c.find(ctx, server)
	old := c.known(server)
	answer := clientAPIAnswer{api: api, at: time.Now()}
	switch {
	case err == nil:
		answer.expires = answer.at.Add(clientAPILifetime)
		return answer
	case old.found():
		answer.expires = answer.at.Add(clientAPIRecheck)
	default:
		answer.expires = answer.at.Add(clientAPIRetry)
	}
	answer.api, answer.err = old.api, &ClientAPIError{Server: server, Definite: isDefinite(err), Err: noted(err)}
	return answer
}
