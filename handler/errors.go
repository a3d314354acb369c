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
	errNotJSON    = errors.New("the body is not JSON")
	errNotObject  = errors.New("the body is not a JSON object")
	errTooLarge   = errors.New("the body is too large")
	errDelegation = errors.New("delegation was asked for")
	errNoRoute    = errors.New("no such route")
	errNoMethod   = errors.New("no such method on this route")
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

// panicError is a fault of this program.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return "panic" }
