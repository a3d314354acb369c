package handler

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// problem is what becomes of an error at the edge: a Matrix error for the
// client, a cause for the log. There is one text for each class of errors; it
// says neither whether a user or a room exists nor what a homeserver answered.
type problem struct {
	status        int
	errcode, text string
	cause         string
	wait          time.Duration // until it is worth trying again, 0: not told
}

// statusCanceled stands in the log for a client that did not wait for its
// answer.
const statusCanceled = 499

// The Matrix error codes in use.
const (
	codeNotJSON       = "M_NOT_JSON"
	codeBadJSON       = "M_BAD_JSON"
	codeTooLarge      = "M_TOO_LARGE"
	codeUnauthorized  = "M_UNAUTHORIZED"
	codeForbidden     = "M_FORBIDDEN"
	codeUnrecognized  = "M_UNRECOGNIZED"
	codeLimitExceeded = "M_LIMIT_EXCEEDED"
	codeUnknown       = "M_UNKNOWN"
)

var (
	shuttingDown = problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "Shutting down", cause: "shutdown"}
	canceled     = problem{status: http.StatusServiceUnavailable, errcode: codeUnknown, text: "Canceled", cause: "canceled"}
	internal     = problem{status: http.StatusInternalServerError, errcode: codeUnknown, text: "Internal error", cause: "internal"}
)

// problems are those of errors that carry nothing.
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
}

// problemOf maps every error of a request to its answer; nothing else does.
// An error that it does not know is a fault of ours.
func problemOf(ctx context.Context, err error) problem {
	if p, ok := clientProblem(err); ok {
		return p
	}
	switch {
	case errors.Is(context.Cause(ctx), ErrShuttingDown):
		return shuttingDown
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled
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
	if _, ok := errors.AsType[*storeError](err); ok {
		return problem{status: http.StatusInternalServerError, errcode: codeUnknown, text: "Unable to keep the leave", cause: "store"}
	}
	if e, ok := errors.AsType[*roomError](err); ok {
		return problem{status: http.StatusInternalServerError, errcode: codeUnknown,
			text: "Unable to create room on SFU", cause: roomCause(e)}
	}
	return internal
}

// clientProblem maps the errors that nobody else had a part in.
func clientProblem(err error) (problem, bool) {
	if e, ok := errors.AsType[*fieldError](err); ok {
		return problem{status: http.StatusBadRequest, errcode: codeBadJSON,
			text: "The field " + e.field + " " + e.fault, cause: "bad_json"}, true
	}
	if e, ok := errors.AsType[*limitError](err); ok {
		return problem{status: http.StatusTooManyRequests, errcode: codeLimitExceeded,
			text: "Too many requests", cause: "limit_" + e.kind, wait: e.wait}, true
	}
	if e, ok := errors.AsType[*delegationError](err); ok {
		return delegationProblem(e), true
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return p.problem, true
		}
	}
	return problem{}, false
}

// verifyProblem passes on that a homeserver has had too many requests. All else
// has one text: what a homeserver answered is not the client's business.
func verifyProblem(e *matrix.VerifyError) problem {
	if e.Cause == matrix.CauseLimited {
		return problem{status: http.StatusTooManyRequests, errcode: codeLimitExceeded,
			text: "Too many requests", cause: string(e.Cause), wait: cmp.Or(e.RetryAfter, homeserverWait)}
	}
	return problem{status: http.StatusUnauthorized, errcode: codeUnauthorized,
		text: "The OpenID token does not prove the user", cause: string(e.Cause)}
}

// homeserverWait is when it is worth trying again at a homeserver that has had
// too many requests and does not say when.
const homeserverWait = time.Second

// limitWait is when it is worth trying again to hand over a leave that was one
// too many.
const limitWait = time.Minute

// delegationProblem tells token endpoints from the dedicated one: on M_BAD_JSON
// a client repeats its request without the leave; the dedicated endpoint says
// what is wrong, and 404 where its client had better keep the leave itself.
func delegationProblem(e *delegationError) problem {
	p := problem{status: http.StatusBadRequest, errcode: codeBadJSON, text: "Delegation is not available", cause: e.cause}
	if e.onToken {
		return p
	}
	switch e.cause {
	case delegationOff, delegationNeedsToken:
		p.status, p.errcode = http.StatusNotFound, codeUnrecognized
	case delegationAccess:
		p.status, p.errcode, p.text = http.StatusForbidden, codeForbidden, "Users of this server may not delegate"
	case delegationLimit:
		p.status, p.errcode, p.text, p.wait = http.StatusTooManyRequests, codeLimitExceeded, "Too many delegated leaves", limitWait
	}
	return p
}

// webhookProblem answers what claims to be a webhook. LiveKit logs the status.
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

// roomCause tells the SFU's causes from a homeserver's of the same name.
func roomCause(err error) string {
	if e, ok := errors.AsType[*sfu.Error](err); ok {
		return "sfu_" + e.Cause
	}
	return "sfu"
}

// body is the Matrix error document. No text of ours needs an escape in JSON.
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

// setHeaders tells when to try again.
func (p problem) setHeaders(h http.Header) {
	if p.wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(roundUp(p.wait, time.Second), 10))
	}
}

// roundUp returns how many units d takes, at least one.
func roundUp(d, unit time.Duration) int64 { return int64(max(1, (d+unit-1)/unit)) }
