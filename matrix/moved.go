package matrix

import (
	"context"
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// doubt has the API of server looked for afresh, for it may have moved: not
// sooner after the last look-up than one that failed is repeated. Until another is
// found api goes on to hold.
func (c *ClientAPIs) doubt(server ServerName, api ClientAPI) {
	if _, ok := c.Overrides[server]; ok {
		return
	}
	known := c.known(server)
	if known.api.base != api.base || time.Since(known.at) < doubtTime(api.named) {
		return
	}
	known.expires = time.Time{}
	c.class(server).cache.Add(server, known)
}

// doubtTime is how long an answer is good that has just been found.
func doubtTime(named bool) time.Duration {
	if named {
		return namedFailureRetry
	}
	return otherFailureRetry
}

// mayHaveMoved reports whether e is a reason to look for the API afresh. At a
// server that the operator named it is whatever is no homeserver's answer; at
// another one that nobody was reached, for its owner must not choose how often it
// is looked for. A homeserver may also have begun to serve the events elsewhere.
func (e *DelayError) mayHaveMoved(named bool) bool {
	return e.Result == ResultWrongPath || movedBy(e.Err, named) && !e.ByHomeserver
}

// mayHaveMoved is the same for the homeserver at which this service is registered.
func (e *AppServiceError) mayHaveMoved() bool { return mayHaveMoved(e.Status, e.ErrCode, e.Err) }

// mayHaveMoved is the same for an answer of a named server.
func mayHaveMoved(status int, errCode string, err error) bool {
	return status == http.StatusNotFound && errCode != codeNotFound || movedBy(err, true) && errCode == ""
}

// movedBy reports whether err, which is no homeserver's answer, may come of a
// server that has moved; not of us, nor of a caller who left.
func movedBy(err error, named bool) bool {
	if !named {
		return unreachable(err)
	}
	_, refused := errors.AsType[*outbound.RefusedError](err)
	_, crowded := errors.AsType[*outbound.CrowdedError](err)
	return !refused && !crowded && !outbound.IsNoFile(err) && !errors.Is(err, context.Canceled)
}

// doubt has the URL looked for afresh, as [ClientAPIs.doubt] does.
func (b *clientBase) doubt(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.url == base && time.Since(b.at) >= doubtTime(true) {
		b.expires = time.Time{}
	}
}
