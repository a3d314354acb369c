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

// DelayID names a delayed event at the homeserver that holds it (MSC4140).
// Anyone who knows it may send or cancel the event, so logs contain only its
// Hash.
type DelayID struct{ id string }

// ParseDelayID checks that id is text of 1 to 255 bytes and can be a path
// segment, which "." and ".." cannot be in any encoding.
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

// Hash returns a short hash by which a log line can be found.
func (d DelayID) Hash() string { return secret.New(d.id).Hash() }

// LogValue returns the hash.
func (d DelayID) LogValue() slog.Value { return slog.StringValue(d.Hash()) }

// Result is the meaning of a homeserver's answer to an action on a delayed
// event.
type Result string

// The results. After a send, Done and Gone are final; after a restart, only
// Gone is.
const (
	ResultDone       Result = "done"        // the action was done
	ResultGone       Result = "gone"        // the event was already sent or cancelled, or never existed
	ResultForbidden  Result = "forbidden"   // the sender left the room or lacks power; a send has consumed the event
	ResultWrongPath  Result = "wrong_path"  // 404, but not a Matrix "not found"
	ResultNeedsToken Result = "needs_token" // the server requires authentication, which a standalone service does not have
	ResultLimited    Result = "limited"     // too many requests
	ResultFailed     Result = "failed"      // no answer, or an error that may pass
)

// DelayError is every answer except [ResultDone].
type DelayError struct {
	Result     Result
	Server     ServerName
	Status     int           // 0 when there was no answer
	RetryAfter time.Duration // for ResultLimited; zero if the server did not say
	// ByHomeserver says that the answer is a Matrix error, not the answer of a
	// website or a proxy.
	ByHomeserver bool
	Err          error
}

func (e *DelayError) Error() string {
	return fmt.Sprintf("delayed event at %s: %s: %v", e.Server, e.Result, e.Err)
}

func (e *DelayError) Unwrap() error { return e.Err }

// ResultOf returns the result that an error of a [DelayedEvents] method stands
// for. nil is ResultDone.
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
// (MSC4140). At the homeserver at which this service is registered, it acts as
// the event's owner. At others it sends no authentication: knowing the delay id
// is enough.
type DelayedEvents struct {
	APIs *ClientAPIs
	// AppService is the registration, nil for none.
	AppService *AppService
	// NotOwner, if set, is called once when the registration's homeserver does
	// not let this service act as one of its users.
	NotOwner func(owner UserID, err error)
	// Refused, if set, is called when a server begins to require authentication.
	Refused func(ServerName)

	refusals refusals
	notOwner sync.Once
}

// Restart starts the event's delay anew.
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

// manage performs one action on an event, as owner if possible. If the server
// refuses those credentials, manage repeats the request without authentication,
// and only that answer counts.
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
	// A 403 says that the server accepts the as_token, but not this owner. Then
	// ResultNeedsToken says nothing about other owners, so it is not recorded.
	if e.Status == http.StatusUnauthorized || ResultOf(err) != ResultNeedsToken {
		d.learn(server, ResultOf(err))
	}
	return err
}

// tell calls NotOwner, at most once, because the server refused the
// credentials. It does not call it if both answers are 403, because in that
// case the owner may have left the room.
func (d *DelayedEvents) tell(owner UserID, with *DelayError, without error) {
	if d.NotOwner == nil || with.Status == http.StatusForbidden && ResultOf(without) == ResultForbidden {
		return
	}
	d.notOwner.Do(func() { d.NotOwner(owner, with) })
}

// refusedCredentials reports whether err may be about the credentials: 401 or
// 403.
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
	// A nil Idempotency-Key is never sent. It tells the transport that this POST
	// may be retried on a fresh connection, as each action may.
	req.Header["Idempotency-Key"] = nil
	_, err = d.do(req, server, api, c)
	return err
}

// do sends a request and returns the body of a 2xx answer. Every other answer
// is a *[DelayError], and may start a new search for the API.
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
	// It uses the transport, not an http.Client, so that no redirect is followed.
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
		body = nil // the action was done, whatever the rest of the body says
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

// judge returns nil for success, else a *[DelayError]. It accepts a 200 only
// with JSON: a website may answer 200 to everything.
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
