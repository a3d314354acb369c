package matrix

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
)

// Account asks a homeserver which users are joined to a room. Account acts as
// an ordinary user of the homeserver, and gets answers only about rooms that
// this user is in. Every homeserver can give these answers. Account sends the
// access token only to the Client-Server API of Server, and only in a header.
// It follows no redirect.
type Account struct {
	Server ServerName
	Token  func() secret.Text // returns the access token; called for each request
	// APIs finds the Client-Server API of Server. The operator must have named
	// Server. APIs.NamedTransport must allow answers of [MaxMembersBytes].
	APIs *ClientAPIs
	// Observe, if set, is called with the result of each question to the
	// homeserver: nil, [ErrNotInRoom] or an *[AccountError].
	Observe func(error)

	base  clientBase
	mu    sync.Mutex
	self  UserID      // the user of the access token
	token secret.Text // the access token to which the user in the field self belongs
	quiet time.Time   // before this time, the service makes no request, because the homeserver answered 429
}

const (
	// MaxMembersBytes bounds the list of a room's members. It allows 600 bytes
	// for each of 100,000 members.
	MaxMembersBytes = 64 << 20

	// membersTimeout bounds one request to the homeserver, including the search
	// for its Client-Server API.
	membersTimeout = 10 * time.Second
	// membersAnswerTime is how long an answer on a reused connection may take to
	// begin. It is long because a homeserver needs a second or two to list the
	// members of a large room.
	membersAnswerTime = 3 * time.Second
	// maxQuiet bounds how long a homeserver can forbid requests by a 429.
	maxQuiet = time.Minute

	roomsPath = "/_matrix/client/v3/rooms/"
)

// ErrNotInRoom says that the account is not in the room, or that the homeserver
// does not know the room. Nothing is then known about who is joined.
var ErrNotInRoom = errors.New("the account that asks who is joined is not in the room")

// AccountError says that the homeserver did not answer with a list of members.
// Nothing is then known about who is joined.
type AccountError struct {
	Cause   Cause
	Status  int    // the status of the answer; 0 without an answer
	ErrCode string // the errcode if the answer is a Matrix error, else ""
	Err     error
}

func (e *AccountError) Error() string { return "asking the homeserver: " + e.Err.Error() }
func (e *AccountError) Unwrap() error { return e.Err }

// IsTokenRefused reports whether the homeserver rejected the access token.
func (e *AccountError) IsTokenRefused() bool { return e.Status == http.StatusUnauthorized }

// EachJoined calls see once for every user who is joined to room, whatever the
// user's server (Client-Server API, "GET /rooms/{roomId}/joined_members"). The
// error is [ErrNotInRoom] or an *[AccountError]. After an error, the caller
// must ignore the users with whom see was called.
func (a *Account) EachJoined(ctx context.Context, room RoomID, see func(user string)) error {
	err := a.eachJoined(ctx, room, see)
	if a.Observe != nil {
		a.Observe(err)
	}
	return err
}

// eachJoined does the work of EachJoined. It rejects a list in which the
// account itself is missing. Some homeservers list the members of a room that
// anybody may read, even if the account is not in the room. Others show an old
// list, of the time when the account left the room.
func (a *Account) eachJoined(ctx context.Context, room RoomID, see func(user string)) error {
	ctx, cancel := context.WithTimeout(ctx, membersTimeout)
	defer cancel()
	token := a.Token()
	self, err := a.whoAmI(ctx, token)
	if err != nil {
		return err
	}
	inside := false
	err = a.get(ctx, token, roomsPath+url.PathEscape(room.String())+"/joined_members", func(body io.Reader) error {
		return readMembers(body, MaxMembersBytes, func(user string) {
			inside = inside || user == self.String()
			see(user)
		})
	})
	e, failed := errors.AsType[*AccountError](err)
	switch {
	case failed && e.isAbsence(), err == nil && !inside:
		return ErrNotInRoom
	case err != nil:
		return err
	}
	return nil
}

// isAbsence reports whether e says that the account is not in the Matrix room.
func (e *AccountError) isAbsence() bool {
	return e.Status == http.StatusForbidden && e.ErrCode == "M_FORBIDDEN" || e.Status == http.StatusNotFound && e.ErrCode == codeNotFound
}

// WhoAmI returns the user of the access token. Its error is an *[AccountError].
func (a *Account) WhoAmI(ctx context.Context) (UserID, error) {
	ctx, cancel := context.WithTimeout(ctx, membersTimeout)
	defer cancel()
	self, err := a.whoAmI(ctx, a.Token())
	if a.Observe != nil {
		a.Observe(err)
	}
	return self, err
}

// whoAmI returns the user of token. It asks the homeserver only once for each
// token.
func (a *Account) whoAmI(ctx context.Context, token secret.Text) (self UserID, err error) {
	a.mu.Lock()
	self, known := a.self, a.token
	a.mu.Unlock()
	if !self.IsZero() && known.Equal(token) {
		return self, nil
	}
	err = a.get(ctx, token, whoAmIPath, func(body io.Reader) error {
		self, err = readWhoAmI(body)
		return err
	})
	if err != nil {
		return UserID{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.self, a.token = self, token
	return self, nil
}

// Self returns the account's user, or the zero UserID if it is not known yet.
func (a *Account) Self() UserID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.self
}

// get makes one request, and calls read with the body of a 200 answer.
func (a *Account) get(ctx context.Context, token secret.Text, path string, read func(io.Reader) error) error {
	if wait := a.stillQuiet(); wait > 0 {
		return limited(wait)
	}
	base, err := a.base.find(ctx, a.APIs, a.Server)
	if err != nil {
		return unanswered(err)
	}
	err = a.getAt(ctx, base, token, path, read)
	if e, failed := errors.AsType[*AccountError](err); failed && mayHaveMoved(e.Status, e.ErrCode, e.Err) {
		a.base.doubt(base)
	}
	return err
}

func (a *Account) getAt(ctx context.Context, base string, token secret.Text, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(outbound.WithAnswerTime(ctx, membersAnswerTime), http.MethodGet, base+path, http.NoBody)
	if err != nil {
		return unanswered(errors.New("the homeserver's address is not a URL"))
	}
	req.Header.Set("User-Agent", outbound.UserAgent)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := a.APIs.NamedTransport.RoundTrip(req)
	if err != nil {
		return unanswered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return a.refused(resp)
	}
	if err := read(resp.Body); err != nil {
		return unread(ctx, err)
	}
	return nil
}

// refused returns the error for an answer other than 200. It reads only as many
// bytes of the body as a Matrix error can have. After a 429, this service sends
// the homeserver no request for the time in Retry-After, at most 1 min. In that
// time, clients whose users must be joined to a room get 502.
func (a *Account) refused(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAppServiceBytes))
	e := &AccountError{Cause: CauseStatus, Status: resp.StatusCode, ErrCode: errCode(body)}
	e.Err = statusError(e.Status, e.ErrCode)
	switch {
	case e.Status == http.StatusTooManyRequests:
		e.Cause = CauseLimited
		a.beQuiet(min(maxQuiet, retryAfter(resp.Header.Get("Retry-After"), body, time.Now())))
	case e.Status/100 == 5:
		e.Cause = CauseTrouble
	}
	return e
}

func (a *Account) beQuiet(wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.quiet = time.Now().Add(wait)
}

func (a *Account) stillQuiet() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Until(a.quiet)
}

func limited(wait time.Duration) *AccountError {
	return &AccountError{
		Cause: CauseLimited, Status: http.StatusTooManyRequests,
		Err: errors.New("it has had too many requests (429), and must not be asked again for " + wait.Round(time.Second).String()),
	}
}

// unanswered returns the error for a request without an answer.
func unanswered(err error) *AccountError {
	return &AccountError{Cause: Cause(outbound.Cause(err)), Err: brief(err)}
}

// unread returns the error for a 200 answer that did not arrive completely or
// has a wrong form.
func unread(ctx context.Context, err error) *AccountError {
	if bad, ok := errors.AsType[*badAnswer](err); ok {
		return &AccountError{Cause: bad.cause, Status: http.StatusOK, Err: bad}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return unanswered(err)
}
