package handler

import (
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
)

// ErrShuttingDown is the cause with which the service cancels all requests in
// progress, when it shuts down and no longer waits for these requests.
var ErrShuttingDown = errors.New("the service is shutting down")

// These are errors about a request as a whole.
var (
	errNotJSON   = errors.New("the body is not JSON")
	errNotObject = errors.New("the body is not a JSON object")
	errTooLarge  = errors.New("the body is too large")
	errNoRoute   = errors.New("no such route")
	errNoMethod  = errors.New("no such method on this route")
	errNotFound  = errors.New("this service has no such user or room")
	errNoJWT     = errors.New("the homeserver's answer has no access token for LiveKit")
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

// limitError says that this package refused a request because of one of its
// limits.
type limitError struct {
	kind string // the kind of limit, as in the metrics
	wait time.Duration
}

func (e *limitError) Error() string { return "too many requests: " + e.kind }

// tokenDelegationError says that the service did not take over the leave in a
// request for a token. proxiedDelegationError says the same of a request that
// the homeserver forwarded. The two types differ from access.DelegationError,
// because the clients need different answers.
type (
	tokenDelegationError   struct{ *access.DelegationError }
	proxiedDelegationError struct{ *access.DelegationError }
)

func (e tokenDelegationError) Unwrap() error   { return e.DelegationError }
func (e proxiedDelegationError) Unwrap() error { return e.DelegationError }

// onToken turns a *[access.DelegationError] into a tokenDelegationError. The
// client then gets 400 M_BAD_JSON (delegationProblem). onToken returns other
// errors unchanged.
func onToken(err error) error {
	if e, ok := errors.AsType[*access.DelegationError](err); ok {
		return tokenDelegationError{e}
	}
	return err
}

// onProxied turns a *[access.DelegationError] into a proxiedDelegationError.
// The function proxiedDelegationProblem chooses the answer for it. onProxied
// returns other errors unchanged.
func onProxied(err error) error {
	if e, ok := errors.AsType[*access.DelegationError](err); ok {
		return proxiedDelegationError{e}
	}
	return err
}

// refusedQuestion says that the homeserver refused to say whether a user is
// joined. It would refuse the same question again.
type refusedQuestion struct{ error }

func (e refusedQuestion) Unwrap() error { return e.error }

// onFederated turns err into a refusedQuestion if our homeserver answered 400,
// as it does to an invalid room id and to a user id that is not ASCII. A
// repeated question would get 400 again. Without onFederated, this service
// would answer 5xx, and the other homeserver would repeat its request four
// times in vain.
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
// malformed, or that the request does not come from the homeserver.
type proxyError struct {
	cause string
	own   bool  // whether the endpoint is for requests that the homeserver makes itself; false if it is for forwarded requests
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

// webhookError says that an [Observer] could not store the event of a webhook.
type webhookError struct{ err error }

func (e *webhookError) Error() string { return "keeping a report of the SFU: " + e.err.Error() }
func (e *webhookError) Unwrap() error { return e.err }
