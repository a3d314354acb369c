package handler

import (
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
)

// ErrShuttingDown is the cause with which the service cancels the base context
// of all requests. The service cancels it when it ends and no longer waits for
// requests.
var ErrShuttingDown = errors.New("the service is shutting down")

// These are errors about a request as a whole.
var (
	errNotJSON   = errors.New("the body is not JSON")
	errNotObject = errors.New("the body is not a JSON object")
	errTooLarge  = errors.New("the body is too large")
	errNoRoute   = errors.New("no such route")
	errNoMethod  = errors.New("no such method on this route")
	errNotFound  = errors.New("this service has no such user or room")
	errNoJWT     = errors.New("the other homeserver's answer holds no token")
	errRoomGone  = errors.New("the room of the link no longer exists on the SFU")
	errStalled   = errors.New("the keeper of delegated leaves makes no progress")
)

// fieldError says what is wrong with one field of a request body.
type fieldError struct {
	field string // the field's path, like "openid_token.access_token"
	fault string // what is wrong, like "is missing"
	err   error  // details for the log, or nil
}

func (e *fieldError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.field + " " + e.fault
}

// limitError says that a limit of this package refused a request.
type limitError struct {
	kind string // the kind of limit, as in the metrics
	wait time.Duration
}

func (e *limitError) Error() string { return "too many requests: " + e.kind }

// tokenDelegationError says that the service did not take over the leave of a
// token request. proxiedDelegationError says the same of a request through the
// homeserver. They are separate types, because these clients need other answers
// than clients of the endpoint for leaves.
type (
	tokenDelegationError   struct{ *access.DelegationError }
	proxiedDelegationError struct{ *access.DelegationError }
)

func (e tokenDelegationError) Unwrap() error   { return e.DelegationError }
func (e proxiedDelegationError) Unwrap() error { return e.DelegationError }

// onToken turns a *[access.DelegationError] into a tokenDelegationError, for
// which the client gets 400 M_BAD_JSON (delegationProblem). It returns other
// errors unchanged.
func onToken(err error) error {
	if e, ok := errors.AsType[*access.DelegationError](err); ok {
		return tokenDelegationError{e}
	}
	return err
}

// onProxied turns a *[access.DelegationError] into a proxiedDelegationError,
// which proxiedDelegationProblem maps to the answer. It returns other errors
// unchanged.
func onProxied(err error) error {
	if e, ok := errors.AsType[*access.DelegationError](err); ok {
		return proxiedDelegationError{e}
	}
	return err
}

// refusedQuestion says that the homeserver refused to say whether a user is
// joined, and would refuse the same question again.
type refusedQuestion struct{ error }

func (e refusedQuestion) Unwrap() error { return e.error }

// onFederated turns err into a refusedQuestion if our homeserver answered 400.
// Our homeserver answers 400 to an invalid room id, or to a user id that is not
// ASCII, and would do so again. With a 5xx from this service, the other
// homeserver would repeat its request four times in vain.
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

// proxyError says that a request to an endpoint for the homeserver is
// malformed, or does not come from the homeserver.
type proxyError struct {
	cause string
	own   bool  // true if the homeserver itself makes requests to the endpoint; false if it forwards them
	err   error // details for the log, or nil
}

// These are the causes of a proxyError.
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
	return "the request does not carry the hs_token of the registration file: it does not come from the homeserver, or the homeserver has another registration file"
}

// paramError says that a well-formed parameter has a wrong value.
type paramError struct {
	param  string
	cause  string
	detail string // what is wrong, for the log
}

func (e *paramError) Error() string { return e.detail }

// webhookError says that an observer could not store a webhook's event.
type webhookError struct{ err error }

func (e *webhookError) Error() string { return "keeping a report of the SFU: " + e.err.Error() }
func (e *webhookError) Unwrap() error { return e.err }
