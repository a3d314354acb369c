package sfu

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/proto"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/text"
)

// These are the causes of a failed call of the SFU's API. Each cause has its own
// remedy.
const (
	CauseBusy         = "busy"         // the SFU was not asked, because too many calls for rooms are running (maxEnsuring)
	CauseCanceled     = "canceled"     // the caller ended the call
	CauseTimeout      = "timeout"      // there was no answer in time
	CauseDNS          = "dns"          // the host name of the URL does not resolve
	CauseConnect      = "connect"      // the connection was refused or closed, or the host is unreachable
	CauseTLS          = "tls"          // the server speaks no TLS, or its certificate is not trusted
	CauseUnauthorized = "unauthorized" // the API key, its secret or the clock differs from the SFU's
	CauseNotFound     = "not_found"    // LiveKit is not there, or a proxy does not forward /twirp
	CauseRedirect     = "redirect"     // the API is at another URL
	CauseNotTwirp     = "not_twirp"    // something other than LiveKit answers
	CauseNoNode       = "no_node"      // LiveKit has no node for this call
	CauseStatus       = "status"       // the SFU or a proxy reports an error
)

// maxText bounds how many bytes of a text from another program this service
// shows.
const maxText = 200

// remedies says for each cause what the operator must check.
var remedies = map[string]string{
	CauseTimeout:      "the SFU is overloaded, or a firewall drops what is sent to it",
	CauseDNS:          "the host of the SFU's API must resolve from here",
	CauseConnect:      "the SFU must run and its port be reachable from here",
	CauseTLS:          "the SFU must speak TLS at this URL, with a certificate for this host from a CA that this service trusts",
	CauseNotFound:     "this must be LiveKit's URL, and a proxy before it must pass /twirp on",
	CauseRedirect:     "the SFU's API must be at exactly this URL",
	CauseNotTwirp:     "something other than LiveKit answers at this URL",
	CauseNoNode:       "LiveKit is just starting, one of its nodes has died, or its machine is too busy: see limit and node_selector in livekit.yaml",
	CauseBusy:         "",
	CauseCanceled:     "",
	CauseStatus:       "",
	CauseUnauthorized: "the API key and its secret must be those of the SFU",
}

// Error is a failed call of the SFU's API. Its text names the URL, the cause
// and a remedy. It contains neither the API secret nor an API token.
type Error struct {
	Op    string // the name of the method, like "CreateRoom"
	Cause string // one of the Cause constants
	// Answered says that LiveKit itself sent the error. If Answered is false,
	// LiveKit may be down, and a proxy may have sent the error.
	Answered bool
	Err      error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Op, e.Cause, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// explain turns an error of the generated client into an Error. It drops the
// answer's body and removes the API token from the text, because LiveKit's
// answer repeats a token that LiveKit refuses.
func (c *Client) explain(op string, err error, token string) *Error {
	cause, what := judge(err)
	remedy := remedies[cause]
	if cause == CauseUnauthorized {
		remedy = c.keyRemedy(err)
	}
	if token != "" {
		what = strings.ReplaceAll(what, token, "[redacted]")
	}
	said := c.url + ": " + text.Clip(what, maxText)
	if remedy != "" {
		said += " (" + remedy + ")"
	}
	answered := cause == CauseUnauthorized || cause != CauseNotTwirp && isTwirp(err)
	return &Error{Op: op, Cause: cause, Answered: answered, Err: &failure{said, ourOwn(err)}}
}

// ourOwn returns the part of err that comes from this process. That is the
// context's error if the context ended the call, or syscall.EMFILE if this
// process could open no file for the call. Otherwise ourOwn returns nil.
func ourOwn(err error) error {
	if outbound.IsNoFile(err) {
		return syscall.EMFILE
	}
	return contextError(err)
}

// failure is an error that has its own text and wraps another error.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.err }

func contextError(err error) error {
	for _, target := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			return target
		}
	}
	return nil
}

// judge returns the cause of err, and a text that says what happened.
func judge(err error) (cause, what string) {
	var strange *notTwirpError
	var transport *url.Error
	var answer twirp.Error
	switch {
	case errors.As(err, &strange):
		return CauseNotTwirp, strange.Error()
	case errors.Is(err, proto.Error):
		return CauseNotTwirp, "got bytes that are no protobuf message"
	case errors.As(err, &transport):
		return judgeTransport(transport.Err), transport.Err.Error()
	case contextError(err) != nil:
		return judgeTransport(err), contextError(err).Error()
	case errors.As(err, &answer):
		return judgeAnswer(answer), fmt.Sprintf("%s: %s", answer.Code(), answer.Msg())
	}
	return CauseStatus, err.Error()
}

func judgeTransport(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return CauseCanceled
	case errors.As(err, &dns):
		return CauseDNS
	case errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	case isTLS(err):
		return CauseTLS
	}
	return CauseConnect
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var roots x509.SystemRootsError
	var op *net.OpError
	return errors.As(err, &record) || errors.As(err, &certificate) || errors.As(err, &roots) ||
		errors.Is(err, http.ErrSchemeMismatch) ||
		// crypto/tls reports a TLS alert in this form.
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}

// judgeAnswer returns the cause of an error answer. An error answer is a Twirp
// error from the server, or an error that the generated client made from a
// status other than 200.
func judgeAnswer(answer twirp.Error) string {
	switch status := answer.Meta("status_code"); {
	case isNoNode(answer):
		return CauseNoNode
	case status == "" && answer.Code() == twirp.Unauthenticated, status == "401":
		return CauseUnauthorized
	case status == "" && answer.Code() == twirp.BadRoute, status == "404", status == "405":
		return CauseNotFound
	case strings.HasPrefix(status, "3"):
		return CauseRedirect
	}
	return CauseStatus
}

// isNoNode reports whether LiveKit says that it has no node for the call, or
// that the node did not answer within 3 s.
func isNoNode(answer twirp.Error) bool {
	if !isTwirp(answer) {
		return false
	}
	// LiveKit v1.13.5 sends this text with the code "unknown".
	return strings.Contains(answer.Msg(), "could not find any available nodes") || isUnanswered(answer)
}

// isTwirp reports whether a Twirp server sent the Twirp error err. The
// generated client also makes Twirp errors from answers of other servers, and
// then puts the body of the answer into the error.
func isTwirp(err error) bool {
	var answer twirp.Error
	var transport *url.Error
	return errors.As(err, &answer) && !errors.As(err, &transport) && contextError(err) == nil &&
		answer.Meta("status_code") == "" && answer.Meta("body") == ""
}

// keyRemedy returns a remedy for CauseUnauthorized. LiveKit's answer says
// whether the key, the secret or the clock is wrong.
func (c *Client) keyRemedy(err error) string {
	var answer twirp.Error
	if !errors.As(err, &answer) {
		return remedies[CauseUnauthorized]
	}
	body := answer.Meta("body")
	switch {
	case strings.HasPrefix(body, "invalid API key"):
		return "the SFU does not have our API key"
	case strings.Contains(body, "signature is invalid"):
		return "the secret of our API key differs from the SFU's"
	case strings.Contains(body, "expired"), strings.Contains(body, "not valid yet"):
		return "the clock of this machine and the SFU's differ"
	}
	return remedies[CauseUnauthorized]
}
