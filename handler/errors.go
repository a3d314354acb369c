package handler

import (
	"errors"
	"time"
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

// limitError is a rate limit that refused a request.
type limitError struct {
	kind string // of the metrics
	wait time.Duration
}

func (e *limitError) Error() string { return "too many requests: " + e.kind }

// roomError is a room that could not be made sure of.
type roomError struct{ err error }

func (e *roomError) Error() string { return "creating the room: " + e.err.Error() }
func (e *roomError) Unwrap() error { return e.err }

// delegationError is a leave that is not taken over.
type delegationError struct {
	cause string // one of the causes below
	err   error  // more for the log, or nil
	// onToken says that it was to be handed over with a token request.
	onToken bool
}

// Why a leave is not taken over.
const (
	delegationOff        = "delegation_off"         // LIVEKIT_DELEGATION
	delegationAccess     = "delegation_access"      // the user's server has no full access
	delegationNeedsToken = "delegation_needs_token" // the homeserver asks for authentication
	delegationClientAPI  = "delegation_client_api"  // its Client-Server API is not there, or delays no events
	delegationLimit      = "delegation_limit"       // one of the limits of jobs
)

func (e *delegationError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return "the leave is not taken over: " + e.cause
}

func (e *delegationError) Unwrap() error { return e.err }

// storeError is a leave, or a webhook about one, that could not be kept.
type storeError struct{ err error }

func (e *storeError) Error() string { return "keeping a leave: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// panicError is a fault of this program.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return "panic" }
