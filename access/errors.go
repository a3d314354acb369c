package access

import (
	"errors"
	"time"

	"matrixrtc-auth/matrix"
)

var (
	// ErrNotJoined says that the user is not joined to the Matrix room, or that
	// the homeserver does not know the room.
	ErrNotJoined = errors.New("the user is not joined to the room")
	// ErrUnseen says that the service does not know whether the user is joined,
	// because the account with which it asks the homeserver is not in the room.
	ErrUnseen = errors.New("the account of LIVEKIT_MEMBERSHIP_TOKEN_FILE is not in the room, and LIVEKIT_MEMBERSHIP_UNKNOWN is deny")
	// ErrForeignUser says that a homeserver made a request for a user of another
	// server.
	ErrForeignUser = errors.New("the user is not a user of the homeserver that makes the request")
)

// MembershipError says that the homeserver did not say whether somebody is
// joined. The client gets status 502.
type MembershipError struct{ Err error }

func (e *MembershipError) Error() string { return "asking who is joined: " + e.Err.Error() }
func (e *MembershipError) Unwrap() error { return e.Err }

// LimitError says that a rate limit refused a request.
type LimitError struct {
	Kind string // the kind of limit, as in the metrics
	Wait time.Duration
}

func (e *LimitError) Error() string { return "too many requests: " + e.Kind }

// RoomError says that the SFU did not confirm the room.
type RoomError struct{ Err error }

func (e *RoomError) Error() string { return "creating the room: " + e.Err.Error() }
func (e *RoomError) Unwrap() error { return e.Err }

// DelegationError says why a leave is not taken over.
type DelegationError struct {
	Cause string // one of the constants below
	Err   error  // details for the log, or nil
}

// The causes of a *[DelegationError], as the log and the metrics show them.
const (
	DelegationOff        = "delegation_off"         // the operator switched delegation off with LIVEKIT_DELEGATION
	DelegationAccess     = "delegation_access"      // the user's server has no full access
	DelegationNeedsToken = "delegation_needs_token" // the homeserver requires authentication
	DelegationClientAPI  = "delegation_client_api"  // the service did not find the homeserver's Client-Server API, or that API cannot delay events
	DelegationLimit      = "delegation_limit"       // the number of jobs is at a limit
	DelegationUnknown    = "delegation_unknown"     // the homeserver has no such event of this user in this room
	DelegationShort      = "delegation_short"       // the delay is so short that this service could not restart it in time
	DelegationLookUp     = "delegation_look_up"     // the homeserver did not answer the look-up
)

func (e *DelegationError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return "the leave is not taken over: " + e.Cause
}

func (e *DelegationError) Unwrap() error { return e.Err }

// StoreError says that the keeper could not store the leave.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return "keeping a leave: " + e.Err.Error() }
func (e *StoreError) Unwrap() error { return e.Err }

// verifyCause returns the cause of a failed verification, as the metrics show
// it: a cause of package matrix, or "internal" for any other error.
func verifyCause(err error) string {
	if e, ok := errors.AsType[*matrix.VerifyError](err); ok {
		return string(e.Cause)
	}
	return "internal"
}
