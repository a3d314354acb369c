package matrix

import (
	"context"
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// doubt is called after a failed request to api. The API of server may have
// moved, so the next caller looks it up again. doubt does nothing if the last
// look-up was less than doubtTime ago. Until a look-up finds another API, the
// service still uses api.
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

// doubtTime is the least time between two look-ups if requests to the API fail.
// It is 10 s at a server that the operator named, and 2 min at any other
// server.
func doubtTime(named bool) time.Duration {
	if named {
		return namedFailureRetry
	}
	return otherFailureRetry
}

// mayHaveMoved reports whether e is a reason to search for the API again.
//
// If the operator named the server, an error is a reason unless a homeserver
// sent it. At any other server, an error is a reason only if this service
// cannot reach the server. If a bad answer were a reason, too, the owner of such
// a server could make this service search again and again.
//
// ResultWrongPath is always a reason, even if a homeserver sent the error. The
// homeserver may now have delayed events at another path.
func (e *DelayError) mayHaveMoved(named bool) bool {
	return e.Result == ResultWrongPath || movedBy(e.Err, named) && !e.ByHomeserver
}

// mayHaveMoved reports whether e is a reason to search again for the API of the
// homeserver at which this service is registered.
func (e *AppServiceError) mayHaveMoved() bool { return mayHaveMoved(e.Status, e.ErrCode, e.Err) }

// mayHaveMoved reports whether an error is a reason to search again for the API of a
// server that the operator named.
func mayHaveMoved(status int, errCode string, err error) bool {
	return status == http.StatusNotFound && errCode != codeNotFound || movedBy(err, true) && errCode == ""
}

// movedBy reports whether err may mean that the server has moved. err must not
// be a homeserver's answer. If this service or the caller caused err, movedBy
// returns false.
func movedBy(err error, named bool) bool {
	if !named {
		return unreachable(err)
	}
	_, refused := errors.AsType[*outbound.RefusedError](err)
	_, crowded := errors.AsType[*outbound.CrowdedError](err)
	return !refused && !crowded && !outbound.IsNoFile(err) && !errors.Is(err, context.Canceled)
}

// doubt is called after a failed request to the URL base. The API may have
// moved, so the next caller looks it up again. [ClientAPIs.doubt] does the same
// for the homeservers that hold delayed events.
func (b *clientBase) doubt(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.url == base && time.Since(b.at) >= doubtTime(true) {
		b.expires = time.Time{}
	}
}
