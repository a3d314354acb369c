package handler

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
	"matrixrtc-auth/token"
)

// problem describes an error for the client and for the log: a Matrix error and
// a cause. All errors of one kind have the same text. The text does not show
// whether a user or a room exists. It also does not show what a homeserver
// answered.
type problem struct {
	status        int
	errcode, text string
	cause         string        // the log's field cause; it begins with limit_ for limits, sfu_ for LiveKit's API, and webhook_ for webhooks
	wait          time.Duration // the value of the header Retry-After; 0 for no header
}

// noFilesWait is the Retry-After for a client if this process cannot open a
// file or a connection.
const noFilesWait = 5 * time.Second

// statusCanceled is the status in the log for a request whose client
// disconnected before the answer.
const statusCanceled = 499

// These are the Matrix error codes that this service uses.
const (
	codeNotJSON       = "M_NOT_JSON"
	codeBadJSON       = "M_BAD_JSON"
	codeTooLarge      = "M_TOO_LARGE"
	codeUnauthorized  = "M_UNAUTHORIZED"
	codeForbidden     = "M_FORBIDDEN"
	codeUnrecognized  = "M_UNRECOGNIZED"
	codeLimitExceeded = "M_LIMIT_EXCEEDED"
	codeUnknown       = "M_UNKNOWN"
	codeInvalidParam  = "M_INVALID_PARAM"
	codeNotFound      = "M_NOT_FOUND"
	codeMissingToken  = "M_MISSING_TOKEN"
)

var (
	shuttingDown    = problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "Shutting down", cause: "shutdown"}
	canceled        = problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "Canceled", cause: "canceled"}
	headersTooLarge = problem{status: http.StatusRequestHeaderFieldsTooLarge, errcode: codeTooLarge, text: "The headers are too large", cause: "headers_too_large"}
	noFiles         = problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "Too busy", cause: "no_files", wait: noFilesWait}
	malformed       = problem{status: http.StatusBadRequest, errcode: codeUnknown, text: "The request is malformed", cause: "malformed"}
	internal        = problem{status: http.StatusInternalServerError, errcode: codeUnknown, text: "Internal error", cause: "internal"}
)

// problems lists the answers to errors that have only one answer each.
var problems = []struct {
	err error
	problem
}{
	{ErrShuttingDown, shuttingDown},
	{errNotJSON, problem{status: http.StatusBadRequest, errcode: codeNotJSON, text: "The body is not JSON", cause: "not_json"}},
	{errNotObject, problem{status: http.StatusBadRequest, errcode: codeBadJSON, text: "The body is not a JSON object", cause: "bad_json"}},
	{errTooLarge, problem{status: http.StatusRequestEntityTooLarge, errcode: codeTooLarge, text: "The body is too large", cause: "too_large"}},
	{errNoRoute, problem{status: http.StatusNotFound, errcode: codeUnrecognized, text: "Unrecognized request", cause: "no_route"}},
	{errStalled, problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "Delegated leaves make no progress", cause: "stalled"}},
	{errNoMethod, problem{status: http.StatusMethodNotAllowed, errcode: codeUnrecognized, text: "Method not allowed", cause: "no_method"}},
	{errNotFound, problem{status: http.StatusNotFound, errcode: codeNotFound, text: "Not found", cause: "not_found"}},
	{testlink.ErrForged, problem{status: http.StatusForbidden, errcode: codeForbidden, text: "This service did not make the link", cause: "test_link_wrong"}},
	{testlink.ErrExpired, problem{status: http.StatusGone, errcode: codeNotFound, text: "The link has expired", cause: "test_link_expired"}},
	{errRoomGone, problem{status: http.StatusNotFound, errcode: codeNotFound, text: "The room of the link is gone", cause: "test_room_gone"}},
	{access.ErrNotJoined, problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: "not_joined"}},
	{access.ErrUnseen, problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: "membership_unseen"}},
	{access.ErrForeignUser, problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: causeForeignUser}},
}

// problemOf returns the answer to err, the error of a request. Errors become
// answers only here. If problemOf does not know err, err is a fault of this
// program.
func problemOf(ctx context.Context, err error) problem {
	if p, ok := clientProblem(err); ok {
		return p
	}
	switch {
	case isOurs(err):
		return internal
	case errors.Is(context.Cause(ctx), ErrShuttingDown):
		return shuttingDown
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return noFiles
	}
	if e, ok := errors.AsType[*matrix.VerifyError](err); ok {
		return verifyProblem(e)
	}
	if e, ok := errors.AsType[*sfu.RejectedError](err); ok {
		return webhookProblem(e)
	}
	if errors.Is(err, leave.ErrAway) {
		return problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "The store does not answer", cause: "store_away"}
	}
	if isStoreFault(err) {
		return problem{status: http.StatusInternalServerError, errcode: codeUnknown, text: "Unable to keep the leave", cause: "store"}
	}
	if e, ok := errors.AsType[*access.RoomError](err); ok {
		return roomProblem(e)
	}
	if p, ok := membershipProblem(err); ok {
		return p
	}
	if p, ok := remoteProblem(err); ok {
		return p
	}
	return internal
}

// isOurs reports whether err is a fault of this program, or wraps one.
func isOurs(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}

func isStoreFault(err error) bool {
	_, leave := errors.AsType[*access.StoreError](err)
	_, report := errors.AsType[*webhookError](err)
	return leave || report
}

// clientProblem returns the problem of err if err means that the client is at
// fault.
func clientProblem(err error) (problem, bool) {
	if e, ok := errors.AsType[*fieldError](err); ok {
		return problem{status: http.StatusBadRequest, errcode: codeBadJSON,
			text: "The field " + e.field + " " + e.fault, cause: "bad_json"}, true
	}
	if _, ok := errors.AsType[*token.IdentityError](err); ok {
		return problem{status: http.StatusBadRequest, errcode: codeBadJSON, text: "The field device_id is not valid", cause: "bad_json"}, true
	}
	if p, ok := limitProblem(err); ok {
		return p, true
	}
	if p, ok := delegationProblem(err); ok {
		return p, true
	}
	if p, ok := proxiedProblem(err); ok {
		return p, true
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return p.problem, true
		}
	}
	return problem{}, false
}

// verifyProblem returns the problem of a failed verification. It is 429 if the
// homeserver answered 429, and 401 after every other failure. The text of the
// 401 does not say what failed: the homeserver may have refused the token or
// not answered, or the token may belong to another user than the request
// claims.
func verifyProblem(e *matrix.VerifyError) problem {
	if e.Cause == matrix.CauseLimited {
		return problem{status: http.StatusTooManyRequests, errcode: codeLimitExceeded,
			text: "Too many requests", cause: string(e.Cause), wait: cmp.Or(e.RetryAfter, homeserverWait)}
	}
	return problem{status: http.StatusUnauthorized, errcode: codeUnauthorized,
		text: "The OpenID token does not prove the user", cause: string(e.Cause)}
}

// homeserverWait is the Retry-After for a client if a homeserver answered 429
// without a Retry-After.
const homeserverWait = time.Second

// membershipProblem returns the problem if our homeserver did not say who is in
// a Matrix room. It is 403 if the homeserver refused this question (only for
// requests of other homeservers), and 502 otherwise.
func membershipProblem(err error) (problem, bool) {
	if _, ok := errors.AsType[refusedQuestion](err); ok {
		return problem{status: http.StatusForbidden, errcode: codeForbidden, text: "Forbidden", cause: "membership_refused"}, true
	}
	if _, ok := errors.AsType[*access.MembershipError](err); ok {
		return problem{status: http.StatusBadGateway, errcode: codeUnknown,
			text: "The homeserver does not say who is in the room", cause: "membership_unknown"}, true
	}
	return problem{}, false
}

// limitProblem returns the problem of a request over a limit.
func limitProblem(err error) (problem, bool) {
	p := problem{status: http.StatusTooManyRequests, errcode: codeLimitExceeded, text: "Too many requests"}
	if e, ok := errors.AsType[*limitError](err); ok {
		p.cause, p.wait = "limit_"+e.kind, e.wait
		return p, true
	}
	if e, ok := errors.AsType[*access.LimitError](err); ok {
		p.cause, p.wait = "limit_"+e.Kind, e.Wait
		return p, true
	}
	return problem{}, false
}

// limitWait is the Retry-After for a client whose leave this service refused,
// because the service keeps too many leaves already.
const limitWait = time.Minute

// delegationProblem returns the problem of a leave that this service does not
// take over.
//
// On a token endpoint, the problem is M_BAD_JSON, so that the client repeats
// its request without the leave.
//
// On the endpoint for leaves, the problem depends on the cause. A 404 says that
// the client must keep the leave itself. M_BAD_JSON says that the homeserver
// cannot delay events. Other causes give 403 or 429.
func delegationProblem(err error) (problem, bool) {
	if e, ok := errors.AsType[tokenDelegationError](err); ok {
		return problem{status: http.StatusBadRequest, errcode: codeBadJSON, text: "Delegation is not available", cause: e.Cause}, true
	}
	if e, ok := errors.AsType[proxiedDelegationError](err); ok {
		return proxiedDelegationProblem(e), true
	}
	e, ok := errors.AsType[*access.DelegationError](err)
	if !ok {
		return problem{}, false
	}
	p := problem{status: http.StatusBadRequest, errcode: codeBadJSON, text: "Delegation is not available", cause: e.Cause}
	switch e.Cause {
	case access.DelegationOff, access.DelegationNeedsToken:
		p.status, p.errcode = http.StatusNotFound, codeUnrecognized
	case access.DelegationAccess:
		p.status, p.errcode, p.text = http.StatusForbidden, codeForbidden, "Users of this server may not delegate"
	case access.DelegationLimit:
		p = tooManyLeaves
	}
	return p, true
}

var tooManyLeaves = problem{status: http.StatusTooManyRequests, errcode: codeLimitExceeded,
	text: "Too many delegated leaves", cause: access.DelegationLimit, wait: limitWait}

// webhookProblem returns the problem of a rejected webhook. The status is 413
// or 400 for a wrong body, and 401 for all other causes (sfu/signed.go).
// LiveKit writes the status into its log.
func webhookProblem(e *sfu.RejectedError) problem {
	p := problem{status: http.StatusUnauthorized, errcode: codeUnauthorized,
		text: "The webhook is not signed by the SFU", cause: "webhook_" + e.Cause}
	switch e.Cause {
	case sfu.RejectedTooLarge:
		p.status, p.errcode, p.text = http.StatusRequestEntityTooLarge, codeTooLarge, "The body is too large"
	case sfu.RejectedCutOff, sfu.RejectedNotJSON:
		p.status, p.errcode, p.text = http.StatusBadRequest, codeNotJSON, "The body is not JSON"
	}
	return p
}

// roomBusyWait is the Retry-After for a client if the service is already
// creating too many rooms. After this time, the running requests to the SFU
// have ended.
const roomBusyWait = 10 * time.Second

// roomProblem returns the problem of e, which says that the SFU did not confirm
// that a room exists.
func roomProblem(e *access.RoomError) problem {
	p := problem{status: http.StatusInternalServerError, errcode: codeUnknown, text: "Unable to create room on SFU", cause: roomCause(e)}
	if sfuError, ok := errors.AsType[*sfu.Error](e); ok && sfuError.Cause == sfu.CauseBusy {
		p.status, p.wait = http.StatusServiceUnavailable, roomBusyWait
	}
	return p
}

// roomCause returns the cause of an error about a room. It begins with "sfu_",
// so that it differs from the causes of errors about homeservers.
func roomCause(err error) string {
	if e, ok := errors.AsType[*sfu.Error](err); ok {
		return "sfu_" + e.Cause
	}
	return "sfu"
}

// body returns the Matrix error as JSON. It does not escape the text, because
// the texts of problems have no characters that JSON must escape.
func (p problem) body() []byte {
	b := append(make([]byte, 0, 128), `{"errcode":"`...)
	b = append(b, p.errcode...)
	b = append(b, `","error":"`...)
	b = append(b, p.text...)
	b = append(b, '"')
	if p.wait > 0 {
		b = append(b, `,"retry_after_ms":`...)
		b = strconv.AppendInt(b, roundUp(p.wait, time.Millisecond), 10)
	}
	return append(b, '}')
}

// setHeaders sets the header Retry-After if the client must wait.
func (p problem) setHeaders(h http.Header) {
	if p.wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(roundUp(p.wait, time.Second), 10))
	}
}

// roundUp returns d in whole units, rounded up. The result is at least 1.
func roundUp(d, unit time.Duration) int64 { return int64(max(1, (d+unit-1)/unit)) }
