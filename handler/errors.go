package handler

import (
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
)

// ErrShuttingDown is the cause with which the base context of requests ends
// when the service cannot wait for them any longer.
var ErrShuttingDown = errors.New("the service is shutting down")

// What can be wrong with a request as a whole.
var (
	errNotJSON   = errors.New("the body is not JSON")
	errNotObject = errors.New("the body is not a JSON object")
	errTooLarge  = errors.New("the body is too large")
	errNoRoute   = errors.New("no such route")
	errNoMethod  = errors.New("no such method on this route")
	errNotFound  = errors.New("no such user or room of this service")
	errNoJWT     = errors.New("the answer holds no token")
	errRoomGone  = errors.New("the SFU does not have the room of the link any more")
	errStalled   = errors.New("the keeper of delegated leaves makes no progress")
)

// fieldError is a fault of one field of a request body.
type fieldError struct {
	field string // "openid_token.access_token"
	fault string // "is missing"
	err   error  // more for the log, or nil
}

func (e *fieldError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.field + " " + e.fault
}

// limitError is a limit of the edge that refused a request.
type limitError struct {
	kind string // of the metrics
	wait time.Duration
}

func (e *limitError) Error() string { return "too many requests: " + e.kind }

// tokenDelegationError is a leave that was to be handed over with a token
// request; proxiedDelegationError is one that came through the homeserver. Their
// clients need other answers than those of the dedicated endpoint.
type (
	tokenDelegationError   struct{ *access.DelegationError }
	proxiedDelegationError struct{ *access.DelegationError }
)

func (e tokenDelegationError) Unwrap() error   { return e.DelegationError }
func (e proxiedDelegationError) Unwrap() error { return e.DelegationError }

func onToken(err error) error {
	if e, ok := errors.AsType[*access.DelegationError](err); ok {
		return tokenDelegationError{e}
	}
	return err
}

func onProxied(err error) error {
	if e, ok := errors.AsType[*access.DelegationError](err); ok {
		return proxiedDelegationError{e}
	}
	return err
}

// refusedQuestion is a question about a membership that the homeserver will
// never answer.
type refusedQuestion struct{ error }

func (e refusedQuestion) Unwrap() error { return e.error }

// onFederated marks a membership that our homeserver will not tell when it is
// asked again either: a 400, to a user id that is not ASCII, or a room id that
// is none. The homeserver that asks calls four times while the answer is a 5xx.
func onFederated(err error) error {
	e, ok := errors.AsType[*access.MembershipError](err)
	if !ok {
		return err
	}
	if a, ok := errors.AsType[*matrix.AppServiceError](e.Err); ok && a.Status == http.StatusBadRequest {
		return refusedQuestion{err}
	}
	return err
}

// proxyError is a request that does not come from the homeserver, or not as it
// should.
type proxyError struct {
	cause string
	own   bool  // it claims to be the homeserver's own request
	err   error // more for the log, or nil
}

// Why a request is not taken for one of the homeserver, or not for one of its users.
const (
	causeTokenMissing = "hs_token_missing"
	causeTokenWrong   = "hs_token_wrong"
	causeNoCaller     = "no_caller_header"
	causeBadOrigin    = "bad_origin"
	causeBadUser      = "bad_user"
	causeForeignUser  = "foreign_user"
)

func (e *proxyError) Error() string {
	switch {
	case e.err != nil:
		return e.err.Error()
	case e.cause == causeNoCaller:
		return "the homeserver does not say who asks"
	}
	return "the request does not carry the hs_token of the registration file: it is not the homeserver's, or the two have different files"
}

// paramError is a value that is well-formed and not the right one.
type paramError struct {
	param  string
	cause  string
	detail string // for the log
}

func (e *paramError) Error() string { return e.detail }

// webhookError is a webhook that could not be written down.
type webhookError struct{ err error }

func (e *webhookError) Error() string { return "keeping a report of the SFU: " + e.err.Error() }
func (e *webhookError) Unwrap() error { return e.err }
