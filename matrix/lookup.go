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
	clientAPIRefusal  = 2 * time.Minute // of a stranger's definite "no", for new leaves
	// A failed look-up is repeated soon, since leaves may be due meanwhile. An
	// API that was found earlier stays in use.
	clientAPIRetry   = 2 * time.Second
	clientAPIRecheck = 5 * time.Second
	clientAPITimeout = 8 * time.Second
	// clientAPIWait is how long a question waits for a refresh before it uses
	// the last good answer again.
	clientAPIWait = 500 * time.Millisecond
)

// The bounds on running look-ups at servers that the operator did not name. A
// look-up goes on when its callers have left. A client network can have no more
// than half of what all clients have; the other half is for networks that have
// few.
var (
	clientsLookUps = semaphore.Bounds{Total: 128, Share: 4}
	ownLookUps     = semaphore.Bounds{Total: 128}
)

// clientAPIAnswer is what look-ups have found for one server.
type clientAPIAnswer struct {
	api     ClientAPI       // the last one found
	err     *ClientAPIError // of the last look-up, nil if it found api; a noted error
	at      time.Time       // when the last look-up ended
	expires time.Time
}

func (a clientAPIAnswer) found() bool   { return a.api.base != "" }
func (a clientAPIAnswer) refused() bool { return a.err != nil && a.err.Definite }

// Find returns the API of server for an event that the server already holds. It
// returns the API that was found last, even if later look-ups have failed.
// Errors are *[ClientAPIError].
func (c *ClientAPIs) Find(ctx context.Context, server ServerName) (ClientAPI, error) {
	now := c.latest(ctx, server, true)
	if !now.found() {
		return ClientAPI{}, now.err
	}
	return now.api, nil
}

// Check returns nil if something new may begin at server: an API is known, and
// the last answer was no definite no. Errors are *[ClientAPIError].
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

// known returns the cached answer, the zero value if there is none.
func (c *ClientAPIs) known(server ServerName) clientAPIAnswer {
	known, _ := c.class(server).cache.Get(server)
	return known
}

// class returns the class of server.
func (c *ClientAPIs) class(server ServerName) *apiClass {
	c.init()
	return c.classes.of(c.isNamed(server))
}

func (c *ClientAPIs) init() {
	c.once.Do(func() {
		c.lookUps = inquiry.New[ServerName, outbound.Asker, clientAPIAnswer](semaphore.Bounds{}, semaphore.Bounds{}, clientAPITimeout)
		c.classes.named.cache, _ = lru.New[ServerName, clientAPIAnswer](cacheSize) // fails for sizes ≤ 0 only
		c.classes.others.cache, _ = lru.New[ServerName, clientAPIAnswer](cacheSize)
		c.classes.others.lookUps = semaphore.New[outbound.Asker](clientsLookUps)
		c.classes.others.ownLookUps = semaphore.New[outbound.Asker](ownLookUps)
	})
}

// latest returns the cached answer while it is valid, else that of a look-up.
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

// boundWait bounds the wait for a refresh of a known API: a slow well-known
// document must not delay a restart past its time. With hurry set, it does not
// wait at all if the last look-up found no other API.
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
// too many look-ups are running. It goes on when its callers have left.
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
		return now // another caller has looked it up meanwhile
	}
	c.class(server).cache.Add(server, answer)
	return answer
}

var errManyLookUps = errors.New("too many look-ups of Client-Server APIs are under way")

// takeLookUp reports whether a look-up may begin. If so, the caller calls
// release at its end.
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

// ask finds the API and its versions. If it finds none, the old one stays
// valid.
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
