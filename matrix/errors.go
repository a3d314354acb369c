package matrix

import (
	"fmt"
	"strings"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// Cause says in one word why an OpenID token could not be verified. The words
// are for operators (logs, metrics); clients never see them.
type Cause string

// What can go wrong with a homeserver, in the order in which it is asked.
const (
	CauseBusy     Cause = outbound.CauseCrowded  // too many verifications are under way
	CauseDNS      Cause = outbound.CauseDNS      // the name does not resolve
	CauseRefused  Cause = outbound.CauseRefused  // it resolves to an address that strangers may not name
	CauseConnect  Cause = outbound.CauseConnect  // no TCP connection
	CauseTLS      Cause = outbound.CauseTLS      // no TLS connection: the error names the certificate's fault
	CauseTimeout  Cause = outbound.CauseTimeout  // no answer in time
	CauseCanceled Cause = outbound.CauseCanceled // the client went away
	CauseProtocol Cause = outbound.CauseProtocol // the connection broke, or does not speak HTTP
	CauseTooLarge Cause = outbound.CauseTooLarge // the answer is larger than any honest one
	CauseLimited  Cause = "homeserver_limited"   // 429: the homeserver has had too many requests
	CauseTrouble  Cause = "homeserver_error"     // an answer 5xx
	CauseStatus   Cause = "status"               // another answer than 200: the token is unknown, or the endpoint is
	CauseNotJSON  Cause = "not_json"             // 200, but not the JSON that it should be

	CauseForeignSubject Cause = "foreign_subject" // the server vouches for a user of another server
	CauseClaimedUser    Cause = "claimed_user"    // the token is another user's than the request claims
)

// VerifyError says why an OpenID token does not prove a user. Its text never
// holds the token, and is safe to log once escaped: parts of it come from the
// server asked.
type VerifyError struct {
	Cause  Cause
	Server ServerName // the server that was asked
	Addr   string     // the address reached or tried, "" before it was known
	Status int        // the HTTP status of an answer other than 200, else 0
	// ByHomeserver says that a homeserver answered, not a website or a proxy: the
	// answer is a Matrix error, or it names a user.
	ByHomeserver bool
	// RetryAfter is how long a homeserver that has had too many requests wants
	// to be left alone, at most an hour; zero if it did not say.
	RetryAfter time.Duration
	Err        error
}

// SparesClient reports whether e says nothing against the client: we have too
// much to do, or the homeserver is in trouble or cannot be reached.
func (e *VerifyError) SparesClient() bool {
	switch e.Cause {
	case CauseBusy, CauseDNS, CauseConnect, CauseTLS, CauseTimeout, CauseProtocol, CauseLimited, CauseTrouble:
		return true
	}
	return false
}

func (e *VerifyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "verifying an OpenID token at %s", e.Server)
	if e.Addr != "" {
		fmt.Fprintf(&b, " (%s)", e.Addr)
	}
	fmt.Fprintf(&b, ": %s", e.Cause)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *VerifyError) Unwrap() error { return e.Err }
