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

// DelayID names a delayed event at the homeserver that holds it (MSC4140). Who
// knows it may send or cancel the event, so logs have its Hash alone.
type DelayID struct{ id string }

// ParseDelayID checks that id is text of 1 to 255 bytes and can be a segment
// of a path: "." and ".." cannot, in no encoding.
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

// Hash finds the id again in a log, as that of a token does.
func (d DelayID) Hash() string { return secret.New(d.id).Hash() }

// LogValue is the hash.
func (d DelayID) LogValue() slog.Value { return slog.StringValue(d.Hash()) }

// Result is what a homeserver's answer to the management of a delayed event
// means.
type Result string

// The results. Only Done and Gone are final for a send, only Gone for a restart.
const (
	ResultDone       Result = "done"        // it was done
	ResultGone       Result = "gone"        // the event was sent, cancelled, has fired or was never there
	ResultForbidden  Result = "forbidden"   // the sender left or lacks power; a send has consumed the event
	ResultWrongPath  Result = "wrong_path"  // 404, but no Matrix server's "not found"
	ResultNeedsToken Result = "needs_token" // the server asks for authentication, which a standalone service cannot give
	ResultLimited    Result = "limited"     // too many requests
	ResultFailed     Result = "failed"      // no answer, or one that may be better next time
)

// DelayError is every answer but [ResultDone].
type DelayError struct {
	Result     Result
	Server     ServerName
	Status     int           // 0 when there was no answer
	RetryAfter time.Duration // for ResultLimited, zero if the server did not say
	// ByHomeserver says that the answer is a Matrix error, not one of a website or
	// a proxy.
	ByHomeserver bool
	Err          error
}

func (e *DelayError) Error() string {
	return fmt.Sprintf("delayed event at %s: %s: %v", e.Server, e.Result, e.Err)
}

func (e *DelayError) Unwrap() error { return e.Err }

// ResultOf returns what err of a [DelayedEvents] method means; nil is ResultDone.
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
// (MSC4140). It acts as the event's owner at the homeserver at which this service
// is registered; elsewhere without authentication: the delay id is the proof.
type DelayedEvents struct {
	APIs *ClientAPIs
	// AppService is the registration, nil for none.
	AppService *AppService
	// NotOwner, if set, is told once when the registration's homeserver does not
	// let this service act as one of its users.
	NotOwner func(owner UserID, err error)
	// Refused, if set, is told when a server begins to ask for authentication.
	Refused func(ServerName)

	refusals refusals
	notOwner sync.Once
}

// Restart starts the event's delay anew.
func (d *DelayedEvents) Restart(ctx context.Context, owner UserID, id DelayID) error {
	return d.manage(ctx, owner.Server(), owner, id, "restart")
}

// Send has the event sent now.
func (d *DelayedEvents) Send(ctx context.Context, owner UserID, id DelayID) error {
	return d.manage(ctx, owner.Server(), owner, id, "send")
}

// Cancel has the event never sent.
func (d *DelayedEvents) Cancel(ctx context.Context, owner UserID, id DelayID) error {
	return d.manage(ctx, owner.Server(), owner, id, "cancel")
}

const maxManageBytes = 16 << 10

// manage does one thing to an event, as owner where that is possible. A refusal
// of that says nothing about the event: only the answer to the same request
// without authentication counts then.
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
	// A server that knows the as_token, and refuses this owner, may well ask for
	// authentication: with others the as_token is that.
	if e.Status == http.StatusUnauthorized || ResultOf(err) != ResultNeedsToken {
		d.learn(server, ResultOf(err))
	}
	return err
}

// tell tells the operator once that credentials were refused, which a second
// answer proves: 403 to both may say that the owner has left the room.
func (d *DelayedEvents) tell(owner UserID, with *DelayError, without error) {
	if d.NotOwner == nil || with.Status == http.StatusForbidden && ResultOf(without) == ResultForbidden {
		return
	}
	d.notOwner.Do(func() { d.NotOwner(owner, with) })
}

// refusedCredentials reports whether err may be about who asks: 401 and 403.
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
	// may be repeated on a fresh connection: each action may.
	req.Header["Idempotency-Key"] = nil
	_, err = d.do(req, server, api, c)
	return err
}

// do sends a request and returns the body of a 2xx answer; every other is a
// *[DelayError], and may be a reason to look for the API afresh.
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
	// The transport itself, not a client: no redirect is followed.
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
		body = nil // it was done, whatever the rest would have said
	}
	return body, judge(server, resp, body)
}

// manageURL is where an action on the event is asked for.
func (a ClientAPI) manageURL(id DelayID, action string) string { return a.eventURL(id) + "/" + action }

// eventURL has the id as one segment of the path, whatever it holds.
func (a ClientAPI) eventURL(id DelayID) string {
	prefix := "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
	if a.Stable {
		prefix = "/_matrix/client/v1/delayed_events/"
	}
	return a.base + prefix + url.PathEscape(id.id)
}

// judge returns nil for success, else a *[DelayError]. A website may answer 200 to
// everything, a homeserver does so in JSON.
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
