package matrix

import (
	"context"
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// doubt says that the API of server may have moved, so that the next caller
// searches for it again. doubt does nothing if the last look-up was less than
// doubtTime ago. Until a search finds another API, api stays in use.
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

// doubtTime is how long an API counts as right after a look-up, even if
// requests to it fail: 10 s at a named server, 2 min at any other.
func doubtTime(named bool) time.Duration {
	if named {
		return namedFailureRetry
	}
	return otherFailureRetry
}

// mayHaveMoved reports whether e is a reason to search for the API again.
//
// At a named server, every error is a reason unless a homeserver sent it. At
// another server, the only such reason is that this service cannot reach the
// server. Otherwise the server's owner could choose how often the search is
// repeated. An error that a homeserver sent is a reason if the homeserver may
// now have delayed events at another path (ResultWrongPath).
func (e *DelayError) mayHaveMoved(named bool) bool {
	return e.Result == ResultWrongPath || movedBy(e.Err, named) && !e.ByHomeserver
}

// mayHaveMoved reports whether e is a reason to search again for the API of the
// homeserver at which this service is registered.
func (e *AppServiceError) mayHaveMoved() bool { return mayHaveMoved(e.Status, e.ErrCode, e.Err) }

// mayHaveMoved reports whether an error of a named server is a reason to search
// for its API again.
func mayHaveMoved(status int, errCode string, err error) bool {
	return status == http.StatusNotFound && errCode != codeNotFound || movedBy(err, true) && errCode == ""
}

// movedBy reports whether err may mean that the server has moved. It is for
// errors that no homeserver sent. If this service or the caller caused err,
// movedBy returns false.
func movedBy(err error, named bool) bool {
	if !named {
		return unreachable(err)
	}
	_, refused := errors.AsType[*outbound.RefusedError](err)
	_, crowded := errors.AsType[*outbound.CrowdedError](err)
	return !refused && !crowded && !outbound.IsNoFile(err) && !errors.Is(err, context.Canceled)
}

// doubt says that the URL base may be wrong, in the same way as
// [ClientAPIs.doubt].
func (b *clientBase) doubt(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.url == base && time.Since(b.at) >= doubtTime(true) {
		b.expires = time.Time{}
	}
}
