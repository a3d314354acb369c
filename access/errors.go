package access

import (
	"errors"
	"time"

	"matrixrtc-auth/matrix"
)

var (
	// ErrNotJoined says that the user is not joined to the Matrix room, or that
	// nobody knows the room.
	ErrNotJoined = errors.New("the user is not joined to the room")
	// ErrUnseen says that nobody can say whether the user is joined: the account
	// that asks is not in the room.
	ErrUnseen = errors.New("the account of LIVEKIT_MEMBERSHIP_TOKEN_FILE is not in the room, and LIVEKIT_MEMBERSHIP_UNKNOWN is deny")
	// ErrForeignUser says that a homeserver asked for a user of another one.
	ErrForeignUser = errors.New("the user is not one of the homeserver that asks")
)

// MembershipError says that the homeserver gave no answer to whether somebody is
// joined.
type MembershipError struct{ Err error }

func (e *MembershipError) Error() string { return "asking who is joined: " + e.Err.Error() }
func (e *MembershipError) Unwrap() error { return e.Err }

// LimitError is a rate limit that refused a request.
type LimitError struct {
	Kind string // of the metrics
	Wait time.Duration
}

func (e *LimitError) Error() string { return "too many requests: " + e.Kind }

// RoomError is a room that could not be made sure of.
type RoomError struct{ Err error }

func (e *RoomError) Error() string { return "creating the room: " + e.Err.Error() }
func (e *RoomError) Unwrap() error { return e.Err }

// DelegationError is a leave that is not taken over.
type DelegationError struct {
	Cause string // one of the causes below
	Err   error  // more for the log, or nil
}

// Why a leave is not taken over.
const (
	DelegationOff        = "delegation_off"         // LIVEKIT_DELEGATION
	DelegationAccess     = "delegation_access"      // the user's server has no full access
	DelegationNeedsToken = "delegation_needs_token" // the homeserver asks for authentication
	DelegationClientAPI  = "delegation_client_api"  // its Client-Server API is not there, or delays no events
	DelegationLimit      = "delegation_limit"       // one of the limits of jobs
	DelegationUnknown    = "delegation_unknown"     // the homeserver has no such event of this user in this room
	DelegationShort      = "delegation_short"       // its delay is shorter than any that can be kept
	DelegationLookUp     = "delegation_look_up"     // the homeserver did not say
)

func (e *DelegationError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return "the leave is not taken over: " + e.Cause
}

func (e *DelegationError) Unwrap() error { return e.Err }

// StoreError is a leave that could not be kept.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return "keeping a leave: " + e.Err.Error() }
func (e *StoreError) Unwrap() error { return e.Err }

// verifyCause is the label of a failed verification: one of the few of
// package matrix.
func verifyCause(err error) string {
	if e, ok := errors.AsType[*matrix.VerifyError](err); ok {
		return string(e.Cause)
	}
	return "internal"
}
