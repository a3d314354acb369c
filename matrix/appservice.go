package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/internal/semaphore"
)

// AppService asks the homeserver at which this service is registered as an
// application service. It sends the as_token only to the Client-Server API of
// Server, and only in a header. It follows no redirect.
type AppService struct {
	Server ServerName
	Token  secret.Text // the as_token
	APIs   *ClientAPIs // finds the Client-Server API of Server; the operator must have named Server

	base    clientBase
	once    sync.Once
	remotes *semaphore.Keyed[ServerName] // bounds how many requests to other homeservers run at the same time
	parsed  atomic.Pointer[parsedBase]   // the parsed form of the API's base URL
}

// parsedBase is a base URL in parsed form, with the route to it.
type parsedBase struct {
	base   string
	route  outbound.Route
	host   string
	prefix string // the path of the base URL, escaped; all paths begin with it
}

// These are the bounds of one request, including the search for the API.
const (
	isJoinedTimeout    = 10 * time.Second
	maxAppServiceBytes = 64 << 10
)

// Only application services may use these paths of the Client-Server API.
const (
	isJoinedPath = "/_matrix/client/unstable/io.element.msc4502/rooms/"
	whoAmIPath   = "/_matrix/client/v3/account/whoami"
	pingPath     = "/_matrix/client/v1/appservice/"
	loopPath     = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/self-test/"

	codeMissingParam = "M_MISSING_PARAM"
	codeNotFound     = "M_NOT_FOUND"
	codeUnrecognized = "M_UNRECOGNIZED"
)

// AppServiceError says that the homeserver did not give the expected answer.
// Nothing is then known about who is joined.
type AppServiceError struct {
	Cause   Cause  // CauseStatus or CauseNotJSON, or the reason why there was no answer
	Status  int    // the status of the answer; 0 without an answer
	ErrCode string // the errcode if the answer is a Matrix error, else ""
	Err     error
}

func (e *AppServiceError) Error() string { return "asking the homeserver: " + e.Err.Error() }
func (e *AppServiceError) Unwrap() error { return e.Err }

// IsJoined reports whether user is joined to room (MSC4502). For a user of
// another server, it can return true only if Server is in the room, too.
// IsJoined returns false if the homeserver does not know room, or if user has
// left, was banned or is only invited. Every error is an *[AppServiceError] and
// means that the answer is unknown.
func (a *AppService) IsJoined(ctx context.Context, room RoomID, user UserID) (bool, error) {
	joined, err := a.isJoined(ctx, room, "mxid", user.String())
	// The newest text of MSC4502 calls the parameter user_id instead of mxid.
	// Older homeservers read user_id as "act as this user". So this service
	// sends user_id only if the homeserver does not know mxid.
	if e, ok := errors.AsType[*AppServiceError](err); ok && e.Status == http.StatusBadRequest && e.ErrCode == codeMissingParam {
		return a.isJoined(ctx, room, "user_id", user.String())
	}
	return joined, err
}

// IsServerJoined reports whether any user of server is joined to room.
func (a *AppService) IsServerJoined(ctx context.Context, room RoomID, server ServerName) (bool, error) {
	return a.isJoined(ctx, room, "server_name", server.String())
}

// isJoined asks the homeserver whether a user or a server is joined to room
// (MSC4502). Only a 200 with joined true or false is an answer. For any other
// response, or without a response within 10 s, isJoined returns an
// *[AppServiceError]. A client whose user must be joined then gets 502.
func (a *AppService) isJoined(ctx context.Context, room RoomID, key, value string) (bool, error) {
	if end, bounded := ctx.Deadline(); !bounded || time.Until(end) > isJoinedTimeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, isJoinedTimeout)
		defer cancel()
	}
	path := isJoinedPath + url.PathEscape(room.String()) + "/is_joined?" + key + "=" + url.QueryEscape(value)
	status, body, err := a.get(ctx, path)
	if err != nil {
		return false, err
	}
	if status != http.StatusOK {
		return false, statusOf(status, body)
	}
	var answer map[string]json.RawMessage // a map, because encoding/json ignores upper and lower case in a struct's field names
	var joined *bool
	if json.Unmarshal(body, &answer) != nil || json.Unmarshal(answer["joined"], &joined) != nil || joined == nil {
		return false, &AppServiceError{Cause: CauseNotJSON, Status: status, Err: errors.New(`the answer is not {"joined": true or false}`)}
	}
	return *joined, nil
}

// WhoAmI returns the user of the as_token. If WhoAmI succeeds, the as_token is
// valid.
func (a *AppService) WhoAmI(ctx context.Context) (UserID, error) {
	status, body, err := a.ask(ctx, http.MethodGet, whoAmIPath, nil)
	if err != nil {
		return UserID{}, err
	}
	if status != http.StatusOK {
		return UserID{}, statusOf(status, body)
	}
	var answer struct {
		UserID string `json:"user_id"`
	}
	user, err := UserID{}, json.Unmarshal(body, &answer)
	if err == nil {
		user, err = ParseUserID(answer.UserID)
	}
	if err != nil {
		return UserID{}, &AppServiceError{Cause: CauseNotJSON, Status: status, Err: errors.New(`the answer holds no user id`)}
	}
	return user, nil
}

// CanFederate returns nil if our homeserver forwards this service's requests to
// other homeservers. To find out, CanFederate sends an empty request. A
// homeserver that forwards requests says that the content is wrong. Any other
// homeserver says that the path does not exist.
func (a *AppService) CanFederate(ctx context.Context) error {
	status, body, err := a.ask(ctx, http.MethodPost, fedProxyPath, []byte("{}"))
	if err != nil {
		return err
	}
	if e := statusOf(status, body); status != http.StatusBadRequest || e.ErrCode != codeMissingParam {
		return e
	}
	return nil
}

// Loop asks the homeserver to forward a request with nonce to this service. The
// homeserver forwards clients' requests in the same way. Loop returns the
// answer.
func (a *AppService) Loop(ctx context.Context, nonce string) (json.RawMessage, error) {
	return a.wants200(ctx, loopPath+url.PathEscape(nonce), []byte("{}"))
}

// Ping asks the homeserver to call this service. After this call, the
// homeserver also delivers the events that it has kept while this service did
// not answer (Application Service API, "Pinging"). id is the id of the
// registration.
func (a *AppService) Ping(ctx context.Context, id string) error {
	_, err := a.wants200(ctx, pingPath+url.PathEscape(id)+"/ping", []byte("{}"))
	return err
}

func (a *AppService) wants200(ctx context.Context, path string, body []byte) (json.RawMessage, error) {
	status, answer, err := a.ask(ctx, http.MethodPost, path, body)
	if err == nil && status != http.StatusOK {
		err = statusOf(status, answer)
	}
	return answer, err
}

// get does the same as ask with the method GET, but faster. Speed matters,
// because this service calls get for each request of a client.
func (a *AppService) get(ctx context.Context, path string) (status int, answer []byte, err error) {
	base, err := a.base.find(ctx, a.APIs, a.Server)
	if err != nil {
		return 0, nil, noAnswer(err)
	}
	at := a.parsed.Load()
	if at == nil || at.base != base {
		u, err := url.Parse(base)
		if err != nil {
			return 0, nil, noAnswer(errors.New("the homeserver's address is not a URL"))
		}
		at = &parsedBase{base, outbound.RouteTo(u), u.Host, strings.TrimSuffix(u.EscapedPath(), "/")}
		a.parsed.Store(at)
	}
	got, err := a.APIs.NamedTransport.GetAs(ctx, at.route, at.host, at.prefix+path, a.Token.Reveal(), maxAppServiceBytes)
	if err != nil {
		err = noAnswer(err)
	}
	a.judge(base, got.Status, got.Body, err)
	return got.Status, got.Body, err
}

// judge looks at the answer of the server at base. If that server is not the
// homeserver's API, judge starts a new search for the API.
func (a *AppService) judge(base string, status int, answer []byte, err error) {
	e, failed := errors.AsType[*AppServiceError](err)
	if !failed && (status/100 != 2 || !json.Valid(answer)) {
		e, failed = statusOf(status, answer), true
	}
	if failed && e.mayHaveMoved() {
		a.base.doubt(base)
	}
}

// ask makes one request with the as_token.
func (a *AppService) ask(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	base, err := a.base.find(ctx, a.APIs, a.Server)
	if err != nil {
		return 0, nil, noAnswer(err)
	}
	status, answer, err = a.askAt(ctx, base, method, path, body)
	a.judge(base, status, answer, err)
	return status, answer, err
}

func (a *AppService) askAt(ctx context.Context, base, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, noAnswer(errors.New("the homeserver's address is not a URL"))
	}
	if body == nil {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", outbound.UserAgent)
	req.Header.Set("Authorization", "Bearer "+a.Token.Reveal())
	// A nil Idempotency-Key is never sent. It only tells the transport that it
	// may retry this POST on a new connection. It is safe to repeat every
	// request of ask.
	req.Header["Idempotency-Key"] = nil
	resp, err := a.APIs.NamedTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, noAnswer(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAppServiceBytes+1))
	switch {
	case err != nil:
		return 0, nil, noAnswer(err)
	case len(answer) > maxAppServiceBytes:
		return 0, nil, &AppServiceError{Cause: CauseTooLarge, Status: resp.StatusCode, Err: errors.New("the answer is larger than this service accepts")}
	}
	return resp.StatusCode, answer, nil
}

func noAnswer(err error) *AppServiceError {
	return &AppServiceError{Cause: Cause(outbound.Cause(err)), Err: brief(err)}
}

// statusOf returns the error for an answer that has an unexpected status and this
// body.
func statusOf(status int, body []byte) *AppServiceError {
	code := errCode(body)
	return &AppServiceError{Cause: CauseStatus, Status: status, ErrCode: code, Err: statusError(status, code)}
}
