package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
	"unicode/utf8"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
)

// DelayID identifies a delayed event at the homeserver that holds the event
// (MSC4140). Anyone who knows the id can send or cancel the event, so logs
// contain only the id's Hash.
type DelayID struct{ id string }

// ParseDelayID returns the DelayID for id. id must be valid text of 1 to 255
// bytes, and must not be "." or "..". No encoding makes these two usable in a
// URL's path.
func ParseDelayID(id string) (DelayID, error) {
	if err := checkOpaque("delay id", id); err != nil {
		return DelayID{}, err
	}
	if id == "." || id == ".." || !utf8.ValidString(id) {
		return DelayID{}, errors.New("the delay id cannot be part of a path")
	}
	return DelayID{id}, nil
}

// String returns the id itself.
func (d DelayID) String() string { return d.id }

// Hash returns a short hash of the id, by which an operator can find log lines
// about the event.
func (d DelayID) Hash() string { return secret.New(d.id).Hash() }

// LogValue returns the hash.
func (d DelayID) LogValue() slog.Value { return slog.StringValue(d.Hash()) }

// Result says what a homeserver's answer to an action on a delayed event means.
type Result string

// These are the results of an action on a delayed event. If the result of a send is
// ResultDone or ResultGone, the homeserver no longer has the delayed event. The same
// is true if the result of a restart is ResultGone.
const (
	ResultDone       Result = "done"        // the action was done
	ResultGone       Result = "gone"        // the homeserver has already sent or cancelled the event, or never had it
	ResultForbidden  Result = "forbidden"   // the event's user has left the room or lacks the power level; if the action was a send, the homeserver does not have the event any more
	ResultWrongPath  Result = "wrong_path"  // a 404 that is not a Matrix "not found"
	ResultNeedsToken Result = "needs_token" // the server requires authentication, but this service is not registered there
	ResultLimited    Result = "limited"     // too many requests
	ResultFailed     Result = "failed"      // no answer, or an error after which a retry may succeed
)

// DelayError says that an action on a delayed event had a result other than
// [ResultDone].
type DelayError struct {
	Result     Result
	Server     ServerName
	Status     int           // the status of the answer; 0 without an answer
	RetryAfter time.Duration // with ResultLimited: how long to wait; zero if the server did not say
	// ByHomeserver says that the answer is a Matrix error. If it is false, the
	// answer may come from a website or a proxy.
	ByHomeserver bool
	Err          error
}

func (e *DelayError) Error() string {
	return fmt.Sprintf("delayed event at %s: %s: %v", e.Server, e.Result, e.Err)
}

func (e *DelayError) Unwrap() error { return e.Err }

// ResultOf returns the result for err, which must be nil or an error of a
// method of [DelayedEvents]. For nil it returns ResultDone.
func ResultOf(err error) Result {
	if err == nil {
		return ResultDone
	}
	if e, ok := errors.AsType[*DelayError](err); ok {
		return e.Result
	}
	return ResultFailed
}

// DelayedEvents manages delayed events at the homeservers that hold them
// (MSC4140). At the homeserver at which this service is registered,
// DelayedEvents acts as the event's owner. At other homeservers it sends no
// authentication, because the delay id alone is enough for these servers.
type DelayedEvents struct {
	APIs *ClientAPIs
	// AppService asks the homeserver at which this service is registered; nil
	// if there is none.
	AppService *AppService
	// NotOwner, if set, is called when the homeserver at which this service is
	// registered refuses to let this service act as one of its users. The
	// argument owner is that user. NotOwner is called at most once.
	NotOwner func(owner UserID, err error)
	// Refused, if set, is called when a server begins to require
	// authentication.
	Refused func(ServerName)

	refusals refusals
	notOwner sync.Once
}

// Restart makes the homeserver begin the event's delay again.
func (d *DelayedEvents) Restart(ctx context.Context, owner UserID, id DelayID) error {
	return d.manage(ctx, owner.Server(), owner, id, "restart")
}

// Send makes the homeserver send the event now.
func (d *DelayedEvents) Send(ctx context.Context, owner UserID, id DelayID) error {
	return d.manage(ctx, owner.Server(), owner, id, "send")
}

// Cancel makes the homeserver drop the event.
func (d *DelayedEvents) Cancel(ctx context.Context, owner UserID, id DelayID) error {
	return d.manage(ctx, owner.Server(), owner, id, "cancel")
}

const maxManageBytes = 16 << 10

// manage performs one action on an event. If this service is registered at
// server, manage acts as owner. If the server then answers 401 or 403, manage
// repeats the request without authentication, and only the second answer
// counts.
func (d *DelayedEvents) manage(ctx context.Context, server ServerName, owner UserID, id DelayID, action string) error {
	api, err := d.APIs.Find(ctx, server)
	if err != nil {
		return &DelayError{Result: ResultFailed, Server: server, Err: brief(err)}
	}
	err = d.post(ctx, server, api.manageURL(id, action), api, d.credentials(server, owner))
	e, refused := refusedCredentials(err)
	if !refused || !d.Authenticates(server) {
		d.learn(server, ResultOf(err))
		return err
	}
	err = d.post(ctx, server, api.manageURL(id, action), api, credentials{})
	d.tell(owner, e, err)
	// After a 403, the server has accepted the as_token, but refused this
	// owner. In that case ResultNeedsToken says nothing about other owners, and
	// the service does not record it.
	if e.Status == http.StatusUnauthorized || ResultOf(err) != ResultNeedsToken {
		d.learn(server, ResultOf(err))
	}
	return err
}

// tell calls NotOwner, unless it has been called before. The argument with is the
// error of the request in which this service acted as owner. The argument without
// is the error of the same request without authentication. If the server answered
// 403 to both, tell does not call NotOwner: maybe the owner has only left the room.
func (d *DelayedEvents) tell(owner UserID, with *DelayError, without error) {
	if d.NotOwner == nil || with.Status == http.StatusForbidden && ResultOf(without) == ResultForbidden {
		return
	}
	d.notOwner.Do(func() { d.NotOwner(owner, with) })
}

// refusedCredentials reports whether the status in err is 401 or 403. Such a
// status may mean that the server refuses the credentials.
func refusedCredentials(err error) (*DelayError, bool) {
	e, ok := errors.AsType[*DelayError](err)
	return e, ok && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

func (d *DelayedEvents) post(ctx context.Context, server ServerName, address string, api ClientAPI, c credentials) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader([]byte("{}")))
	if err != nil {
		return &DelayError{Result: ResultFailed, Server: server, Err: brief(err)}
	}
	req.Header.Set("Content-Type", "application/json")
	// A nil Idempotency-Key is never sent. It only tells the transport that it
	// may send this POST again on a new connection. A second restart, send or
	// cancel of the same event does no harm.
	req.Header["Idempotency-Key"] = nil
	_, err = d.do(req, server, api, c)
	return err
}

// do sends a request and returns the body of a 2xx answer. For every other
// answer, do returns a *[DelayError]. If the answer suggests that the server's
// API has moved, do also starts a new search for the API.
func (d *DelayedEvents) do(req *http.Request, server ServerName, api ClientAPI, c credentials) ([]byte, error) {
	body, err := d.doOnce(req, server, api, c)
	if e, ok := errors.AsType[*DelayError](err); ok && e.mayHaveMoved(api.named) {
		d.APIs.doubt(server, api)
	}
	return body, err
}

func (d *DelayedEvents) doOnce(req *http.Request, server ServerName, api ClientAPI, c credentials) ([]byte, error) {
	c.addTo(req)
	req.Header.Set("User-Agent", outbound.UserAgent)
	// RoundTrip follows no redirect, and http.Client.Do would follow redirects.
	resp, err := d.APIs.transport(api.named).RoundTrip(req)
	if err != nil {
		return nil, &DelayError{Result: ResultFailed, Server: server, Err: brief(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManageBytes))
	switch {
	case err != nil && resp.StatusCode/100 != 2:
		return nil, &DelayError{Result: ResultFailed, Server: server, Status: resp.StatusCode, Err: brief(err)}
	case err != nil:
		body = nil // the homeserver has done the action, so it does not matter that the body is incomplete
	}
	return body, judge(server, resp, body)
}

// manageURL returns the URL for an action on the event.
func (a ClientAPI) manageURL(id DelayID, action string) string { return a.eventURL(id) + "/" + action }

// eventURL returns the URL of the event, with the id escaped as one path
// segment.
func (a ClientAPI) eventURL(id DelayID) string {
	prefix := "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
	if a.Stable {
		prefix = "/_matrix/client/v1/delayed_events/"
	}
	return a.base + prefix + url.PathEscape(id.id)
}

// judge returns nil if the answer means success, else a *[DelayError]. These
// rules are not obvious:
//
//   - A 2xx must have JSON or no body, because a website may answer 200 to
//     every request.
//   - A 409 means the same as 404 M_NOT_FOUND: the event no longer exists.
//   - A 5xx, and a 401 other than M_MISSING_TOKEN, give ResultFailed, because a
//     retry may succeed.
func judge(server ServerName, resp *http.Response, body []byte) error {
	if resp.StatusCode/100 == 2 {
		if len(body) > 0 && !json.Valid(body) {
			return &DelayError{Server: server, Status: resp.StatusCode, Err: errors.New("the answer is not JSON"), Result: ResultFailed}
		}
		return nil
	}
	code := errCode(body)
	e := &DelayError{Server: server, Status: resp.StatusCode, Err: statusError(resp.StatusCode, code), Result: ResultFailed, ByHomeserver: code != ""}
	switch resp.StatusCode {
	case http.StatusNotFound:
		e.Result = ResultWrongPath
		if code == "M_NOT_FOUND" {
			e.Result = ResultGone
		}
	case http.StatusConflict:
		e.Result = ResultGone
	case http.StatusForbidden:
		e.Result = ResultForbidden
	case http.StatusUnauthorized:
		if code == "M_MISSING_TOKEN" {
			e.Result = ResultNeedsToken
		}
	case http.StatusTooManyRequests:
		e.Result = ResultLimited
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), body, time.Now())
	}
	return e
}
