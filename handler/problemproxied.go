package handler

import (
	"errors"
	"net/http"

	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
)

// On a route that a homeserver proxies, clients read 404, M_NOT_FOUND and
// M_UNRECOGNIZED as "this homeserver has no such service". They read
// M_UNKNOWN_TOKEN as "you are logged out". No error below uses these codes.

// proxiedProblem returns the problem of a request to an endpoint that only the
// homeserver may call. It returns false if err has another reason. The problem is
//   - 403 if the hs_token is missing or wrong, or if the request names no user or
//     server,
//   - 401 instead, if the hs_token is missing from a request that the homeserver
//     makes for itself (proxyError.own), not for a client,
//   - 400 if a parameter is invalid.
func proxiedProblem(err error) (problem, bool) {
	if e, ok := errors.AsType[*proxyError](err); ok {
		p := problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: e.cause}
		if e.own && e.cause == causeTokenMissing {
			p.status, p.errcode, p.text = http.StatusUnauthorized, codeMissingToken, "Missing access token"
		}
		return p, true
	}
	if e, ok := errors.AsType[*paramError](err); ok {
		return problem{status: http.StatusBadRequest, errcode: codeInvalidParam,
			text: "The parameter " + e.param + " is not valid", cause: e.cause}, true
	}
	return problem{}, false
}

// remoteProblem returns the problem if this service got no token for the SFU of
// another homeserver. If the other homeserver answered 403 or 400, the problem
// is the same: 403, or 400 M_INVALID_PARAM. After any other answer, even a 429,
// the problem is 502 M_UNKNOWN. Without an answer, it is 502, too.
func remoteProblem(err error) (problem, bool) {
	e, ok := errors.AsType[*matrix.RemoteError](err)
	switch {
	case !ok:
		return problem{}, false
	case e.Status == http.StatusForbidden:
		return problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: "remote_forbidden"}, true
	case e.Status == http.StatusBadRequest:
		return problem{status: http.StatusBadRequest, errcode: codeInvalidParam,
			text: "The other homeserver does not accept the request", cause: "remote_invalid"}, true
	case e.Status == 0:
		return problem{status: http.StatusBadGateway, errcode: codeUnknown, text: "The other homeserver does not answer", cause: "remote_away"}, true
	}
	return problem{status: http.StatusBadGateway, errcode: codeUnknown, text: "The other homeserver gives no token", cause: "remote_error"}, true
}

// proxiedDelegationProblem returns the problem of a leave that this service
// does not take over, in a request that the homeserver forwarded. The problem's
// status is 403 if delegation is off, or if the homeserver does not let this
// service manage delayed events.
func proxiedDelegationProblem(e proxiedDelegationError) problem {
	p := problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: e.Cause}
	switch e.Cause {
	case access.DelegationUnknown, access.DelegationShort:
		p.status, p.errcode, p.text = http.StatusBadRequest, codeInvalidParam, "The parameter delay_id is not valid"
	case access.DelegationLookUp, access.DelegationClientAPI:
		p.status, p.errcode, p.text = http.StatusServiceUnavailable, codeUnknown, "The homeserver does not say the delay"
	case access.DelegationLimit:
		p = tooManyLeaves
	}
	return p
}
