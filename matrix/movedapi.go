package matrix

import (
	"context"
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// doubt starts a new search for the API of server, which may have moved. It
// waits as long after the last look-up as after a failed one. Until another API
// is found, api stays in use.
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

// doubtTime is how long a newly found API counts as right, even if requests to
// it fail.
func doubtTime(named bool) time.Duration {
	if named {
		return namedFailureRetry
	}
	return otherFailureRetry
}

// mayHaveMoved reports whether e is a reason to search for the API again. At a
// server that the operator named, it is every error that no homeserver sent. At
// another server, it is only that the server could not be reached: its owner
// must not choose how often the search is repeated. A homeserver's own error
// counts if it may now serve delayed events at another path.
func (e *DelayError) mayHaveMoved(named bool) bool {
	return e.Result == ResultWrongPath || movedBy(e.Err, named) && !e.ByHomeserver
}

// mayHaveMoved reports the same of an answer from the homeserver at which this
// service is registered.
func (e *AppServiceError) mayHaveMoved() bool { return mayHaveMoved(e.Status, e.ErrCode, e.Err) }

// mayHaveMoved reports the same of an answer from a named server.
func mayHaveMoved(status int, errCode string, err error) bool {
	return status == http.StatusNotFound && errCode != codeNotFound || movedBy(err, true) && errCode == ""
}

// movedBy reports whether err, which no homeserver sent, may mean that the
// server has moved. It does not if this service or the caller caused it.
func movedBy(err error, named bool) bool {
	if !named {
		return unreachable(err)
	}
	_, refused := errors.AsType[*outbound.RefusedError](err)
	_, crowded := errors.AsType[*outbound.CrowdedError](err)
	return !refused && !crowded && !outbound.IsNoFile(err) && !errors.Is(err, context.Canceled)
}

// doubt starts a new search for the URL, as [ClientAPIs.doubt] does.
func (b *clientBase) doubt(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.url == base && time.Since(b.at) >= doubtTime(true) {
		b.expires = time.Time{}
	}
}
