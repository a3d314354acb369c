package matrix

import (
	"fmt"
	"strings"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// Cause says in one word why this service could not verify an OpenID token.
// Operators see the cause in logs and metrics; clients never do.
type Cause string

// These are the causes, in the order of the steps in which they occur.
const (
	CauseBusy     Cause = outbound.CauseCrowded  // too many verifications are in progress
	CauseDNS      Cause = outbound.CauseDNS      // the name does not resolve
	CauseRefused  Cause = outbound.CauseRefused  // the name resolves to an address that is not allowed, because the operator did not name the server
	CauseConnect  Cause = outbound.CauseConnect  // a TCP connection could not be made
	CauseTLS      Cause = outbound.CauseTLS      // a TLS connection could not be made; the error says what is wrong with the certificate
	CauseTimeout  Cause = outbound.CauseTimeout  // no answer in time
	CauseCanceled Cause = outbound.CauseCanceled // the client disconnected
	CauseProtocol Cause = outbound.CauseProtocol // the connection broke, or the peer did not speak HTTP
	CauseTooLarge Cause = outbound.CauseTooLarge // the answer is larger than the answer of any real homeserver
	CauseLimited  Cause = "homeserver_limited"   // 429: the homeserver has had too many requests
	CauseTrouble  Cause = "homeserver_error"     // the answer has a status 5xx
	CauseStatus   Cause = "status"               // the answer has another status than 200, 429 or 5xx, for example because the homeserver does not know the token or the endpoint
	CauseNotJSON  Cause = "not_json"             // the status is 200, but the body is not the expected JSON

	CauseForeignSubject Cause = "foreign_subject" // the server named a user of another server
	CauseClaimedUser    Cause = "claimed_user"    // the token does not belong to the user whom the request claims
)

// VerifyError says why an OpenID token does not prove a user. Its text never
// holds the token. The text may quote the server's answer, so the log must
// escape the text.
type VerifyError struct {
	Cause  Cause
	Server ServerName // the server that was asked
	Addr   string     // the address that was reached or tried; "" if there was none
	Status int        // the HTTP status of the answer if that was not 200, else 0
	// ByHomeserver says that a homeserver answered, and not a website or a
	// proxy. That is so if the answer is a Matrix error, or names a user.
	ByHomeserver bool
	// RetryAfter is how long the service should wait, because the homeserver
	// answered 429. It is at most an hour. It is zero if the homeserver named
	// no time.
	RetryAfter time.Duration
	Err        error
}

// SparesClient reports whether e must not count as a failure of the client. It
// returns true if this service is busy, or if the homeserver has an error or
// cannot be reached. For CauseCanceled it returns false. In that case the
// caller decides whether the client's disconnect counts
// (access.Authorizer.limitFailures).
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
