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
	clientAPILifetime = time.Hour // how long a good answer is valid
	// If a server says that it cannot delay events, the service takes over no
	// new leaves at this server for the time clientAPIRefusal. There is no such
	// pause for a server that the operator named.
	clientAPIRefusal = 2 * time.Minute
	// clientAPIRetry is the pause after a failed look-up if no address of the
	// server's Client-Server API is known. It is short, because leaves may become
	// due in the pause. If an address is known from an earlier look-up, the service
	// still uses it, and the pause is clientAPIRecheck.
	clientAPIRetry   = 2 * time.Second
	clientAPIRecheck = 5 * time.Second
	clientAPITimeout = 8 * time.Second
	// clientAPIWait is how long a caller waits for a new answer. If none comes
	// in this time, the caller uses the last good answer.
	clientAPIWait = 500 * time.Millisecond
)

// These bounds limit the look-ups that run at the same time at servers that the
// operator did not name. clientsLookUps is for look-ups for clients. One client
// network gets at most half of its permits (64). The other half is for client
// networks with less than four look-ups in progress. ownLookUps is for look-ups for
// leaves that are already stored. A look-up keeps its permit even if its callers
// have left.
var (
	clientsLookUps = semaphore.Bounds{Total: 128, Share: 4}
	ownLookUps     = semaphore.Bounds{Total: 128}
)

// clientAPIAnswer is what the look-ups have found for one server.
type clientAPIAnswer struct {
	api     ClientAPI       // the API that the last successful look-up found
	err     *ClientAPIError // the error of the last look-up, with a clipped text; nil if the look-up found api
	at      time.Time       // when the last look-up ended
	expires time.Time
}

func (a clientAPIAnswer) found() bool   { return a.api.base != "" }
func (a clientAPIAnswer) refused() bool { return a.err != nil && a.err.Definite }

// Find returns the API of server. It is for requests about a delayed event that
// the server already has. So Find returns the last API that a look-up found, even
// if later look-ups failed. Errors are *[ClientAPIError].
func (c *ClientAPIs) Find(ctx context.Context, server ServerName) (ClientAPI, error) {
	now := c.latest(ctx, server, true)
	if !now.found() {
		return ClientAPI{}, now.err
	}
	return now.api, nil
}

// Check returns nil if this service may take over a new leave of a user of server.
// For that, it must know the server's API, and the server must not have said in the
// last look-up that it cannot delay events. Errors are *[ClientAPIError].
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

// class returns the cache and the bounds for server. There are two classes of
// servers: those that the operator named, and all others.
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

// latest returns the cached answer while it is valid. After that, it starts a
// look-up, and waits for the look-up's answer as long as boundWait says. If
// hurry is set, the wait may be shorter.
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

// boundWait returns a context that bounds how long a caller waits for a new
// answer. If the service knows an API already, the wait is short, because a
// slow well-known document must not make a restart too late. If hurry is set
// and the last look-up failed, the caller does not wait at all.
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

// lookUp looks up the API of server. It returns the cached answer if that is
// still valid, or if too many look-ups are running. A look-up goes on after its
// callers have left.
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

// takeLookUp asks for permission to begin a look-up for asker. If ok is true,
// the caller must call release when the look-up ends.
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

// ask looks for the API of server, and asks the API for its versions. If ask
// finds no API, its answer contains the API of the previous answer.
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
