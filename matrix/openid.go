package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"matrixrtc-auth/internal/deadline"
	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/internal/semaphore"
)

// OpenIDToken is a token that a client gets from its homeserver, to prove its
// user to a third party (Client-Server API, "OpenID"). It does not prove a
// device, a membership in a room, or that the token was meant for this service.
type OpenIDToken struct {
	AccessToken secret.Text
	Server      ServerName // matrix_server_name: the server that knows to which user the token belongs
}

// These are the bounds of one verification.
const (
	defaultVerifyTimeout = 10 * time.Second // if Verifier.Timeout (LIVEKIT_OPENID_TIMEOUT) is zero
	maxUserInfoBytes     = 64 << 10
	maxErrCode           = 64
)

// These bounds limit the verifications that run at the same time. Further
// verifications wait. A verification takes about 40 kB.
//
// A server that the operator did not name holds at most 64 permits, even if it
// takes the full 10 s for every answer. It never holds a permit of the servers
// that the operator named. An attacker may have many slow servers. So a client
// network that has 8 permits gets more only while half of the 512 permits are
// free (otherAskers). It never gets more than 256.
var (
	namedVerifications = semaphore.Bounds{Total: 1024, PerKey: 512}
	otherVerifications = semaphore.Bounds{PerKey: 64}
	namedAskers        = semaphore.Bounds{}
	otherAskers        = semaphore.Bounds{Total: 512, Share: 8}
)

// Verifier asks homeservers to which user an OpenID token belongs. Servers that
// the operator named have their own connections and bounds, separate from those
// of all other servers.
type Verifier struct {
	Resolver *Resolver
	// Timeout bounds one whole verification, including discovery and retries.
	// Zero means 10 s.
	Timeout time.Duration
	// Trials, if set, bounds the trials of each client network. A trial is a
	// request to a server that is not known to be a homeserver
	// ([NewTrialLimiter]).
	Trials ratelimit.Limiter[netip.Prefix]
	// Observe, if set, is called with the time that a homeserver took to answer.
	Observe func(took time.Duration)

	uses uses
}

// Verify asks token.Server to which user the token belongs, and returns that
// user. The user is always of token.Server. If claimed is not zero and names
// another user, Verify returns an error. Errors are *[VerifyError].
//
// Verify remembers no answer: it asks the server each time. The parameter from
// is the client's network. Each network gets only a share of the permits for
// verifications.
func (v *Verifier) Verify(ctx context.Context, token OpenIDToken, claimed UserID, from netip.Prefix) (UserID, error) {
	if !claimed.IsZero() && claimed.Server() != token.Server {
		return UserID{}, &VerifyError{Cause: CauseClaimedUser, Server: token.Server,
			Err: brief(fmt.Errorf("the claimed user is of %s", claimed.Server()))}
	}
	timeout := v.Timeout
	if timeout == 0 {
		timeout = defaultVerifyTimeout
	}
	ctx, cancel := deadline.WithTimeout(ctx, timeout)
	defer cancel()
	ctx = outbound.For(ctx, outbound.Asker{Network: from})
	user, err := v.tryAsk(ctx, token, from)
	switch {
	case err != nil:
		return UserID{}, err
	case !claimed.IsZero() && claimed != user:
		return UserID{}, &VerifyError{Cause: CauseClaimedUser, Server: token.Server,
			Err: errors.New("the token belongs to another user than the request claims")}
	}
	return user, nil
}

// tryAsk asks the server to which user the token belongs. If the server is not
// yet known to be a homeserver, the request is a trial. If the client's network
// has no trial left, tryAsk returns an error and does not ask.
func (v *Verifier) tryAsk(ctx context.Context, token OpenIDToken, from netip.Prefix) (UserID, error) {
	c := v.Resolver.class(token.Server)
	end, err := v.try(c, token.Server, from)
	if err != nil {
		return UserID{}, err
	}
	user, err := v.ask(ctx, c, token, from)
	if ctx.Err() != nil && err != nil {
		end(ctx.Err()) // the client has left, so the service learned nothing about the server
	} else {
		end(err)
	}
	return user, err
}

// ask waits until the limit of the client's network and the limit of the server
// allow one more verification. Then it finds the server and asks it to which
// user the token belongs.
func (v *Verifier) ask(ctx context.Context, c *class, token OpenIDToken, from netip.Prefix) (UserID, error) {
	release, err := c.admit(ctx, token.Server, from)
	if err != nil {
		return UserID{}, &VerifyError{Cause: waitCause(err), Server: token.Server, Err: err}
	}
	defer release()

	destination, err := v.Resolver.Resolve(ctx, token.Server, from)
	if err != nil {
		return UserID{}, &VerifyError{Cause: resolveCause(err), Server: token.Server, Err: err}
	}
	user, err := v.askAny(ctx, c, destination, token)
	if err == nil {
		return user, nil
	}
	if other, found := v.Resolver.again(ctx, c, token.Server, destination, from, err); found {
		return v.askAny(ctx, c, other, token)
	}
	return UserID{}, err
}

// admit waits until the client network and the server each have a free permit,
// and takes these two permits. release gives them back. While admit waits for
// one permit, it does not hold the other. So waiting for a slow server takes
// no permit of the client network, and waiting for a busy network takes no
// permit of the server.
func (c *class) admit(ctx context.Context, server ServerName, from netip.Prefix) (release func(), err error) {
	for {
		leave, err := c.askers.Acquire(ctx, from)
		if err != nil {
			return nil, err
		}
		if release, ok := c.budget.TryAcquire(server); ok {
			return func() { release(); leave() }, nil
		}
		leave()
		release, err := c.budget.Acquire(ctx, server)
		if err != nil {
			return nil, err
		}
		if leave, ok := c.askers.TryAcquire(from); ok {
			return func() { release(); leave() }, nil
		}
		release()
		if err := ctx.Err(); err != nil {
			return nil, err // without this, the loop could go on, because Acquire takes a free permit even if ctx has ended
		}
	}
}

// waitCause returns the cause of an error of admit: either the client left, or
// no permit was free.
func waitCause(err error) Cause {
	if errors.Is(err, context.Canceled) {
		return CauseCanceled
	}
	return CauseBusy
}

// resolveCause returns the cause of a failed discovery: either this service was
// busy, or the request ended too early. If discovery panicked, the cause is
// CauseBusy, so that the panic does not count as a failure of the client.
func resolveCause(err error) Cause {
	if _, ours := errors.AsType[*fault.Error](err); ours {
		return CauseBusy
	}
	if _, busy := errors.AsType[*inquiry.BusyError](err); busy {
		return CauseBusy
	}
	return Cause(outbound.Cause(err))
}

// askAny tries the destination's addresses, one after another, until it reaches
// one. An address may be a name with several IP addresses. Then the transport
// dials IPv6 and IPv4 addresses of that name.
func (v *Verifier) askAny(ctx context.Context, c *class, d Destination, token OpenIDToken) (user UserID, err error) {
	if c.isNamed {
		defer func() { v.uses.note(token.Server, d, err) }()
	}
	for i, addr := range d.Addrs {
		user, err = v.askOne(ctx, c.transport, d, addr, token)
		if unreachable(err) && ctx.Err() == nil {
			continue
		}
		if i > 0 && ctx.Err() == nil {
			v.Resolver.prefer(token.Server, d, i)
		}
		break
	}
	return user, err
}

// askOne makes the userinfo request at one address (server-server
// specification, GET /_matrix/federation/v1/openid/userinfo). The field sub of
// the answer names a user. If this user is not of token.Server, the error has
// the cause CauseForeignSubject.
func (v *Verifier) askOne(ctx context.Context, t *outbound.Transport, d Destination, addr string, token OpenIDToken) (UserID, error) {
	start := time.Now()
	route := outbound.Route{Scheme: d.Scheme, Addr: addr, TLSName: d.TLSName}
	target := d.Path + userInfoPath + url.QueryEscape(token.AccessToken.Reveal())
	answer, reached, err := t.Get(ctx, route, d.Host, target, maxUserInfoBytes)
	fail := func(cause Cause, err error) (UserID, error) {
		return UserID{}, &VerifyError{Cause: cause, Server: token.Server, Addr: reached, Err: brief(err)}
	}
	if unreachable(err) && d.Note != "" {
		err = fmt.Errorf("%w (%s)", err, d.Note)
	}
	if err != nil {
		return fail(Cause(outbound.Cause(err)), err)
	}
	if v.Observe != nil {
		v.Observe(time.Since(start))
	}
	if answer.Status != http.StatusOK {
		return UserID{}, refused(token.Server, reached, answer)
	}
	user, err := parseUserInfo(answer.Body)
	if err != nil {
		return fail(CauseNotJSON, err)
	}
	if user.Server() != token.Server {
		return UserID{}, &VerifyError{Cause: CauseForeignSubject, Server: token.Server, Addr: reached,
			ByHomeserver: true, Err: brief(foreignError(user.Server(), token.AccessToken))}
	}
	return user, nil
}

// refused returns the error for an answer other than 200. A 429 or 5xx does not
// count as a failure of the client ([VerifyError.SparesClient]), but every
// other status does. If the homeserver answers 429, the client gets 429, too.
// After any other status, the client gets 401.
func refused(server ServerName, reached string, answer outbound.Answer) *VerifyError {
	code := errCode(answer.Body)
	e := &VerifyError{Cause: CauseStatus, Server: server, Addr: reached, Status: answer.Status,
		ByHomeserver: code != "" && !isElsewhere(answer.Status, code), Err: statusError(answer.Status, code)}
	switch {
	case answer.Status == http.StatusTooManyRequests:
		e.Cause = CauseLimited
		e.RetryAfter = retryAfter(answer.RetryAfter, answer.Body, time.Now())
	case answer.Status >= 500:
		e.Cause = CauseTrouble
	}
	return e
}

// isElsewhere reports whether the answer comes from a program that speaks
// Matrix, but has no federation API. That program may be the homeserver itself,
// at a port for clients only.
func isElsewhere(status int, code string) bool {
	return status == http.StatusNotFound && code == codeUnrecognized
}

// userInfoPath is the path and query of a userinfo request. The token follows
// it.
const userInfoPath = "/_matrix/federation/v1/openid/userinfo?access_token="

// foreignError returns an error that names server. If the name contains the
// token, the error leaves the name out. Otherwise a homeserver could get the
// token into the log: it would send the token back as a part of this name.
func foreignError(server ServerName, accessToken secret.Text) error {
	if strings.Contains(server.String(), accessToken.Reveal()) {
		return errors.New("the answer (sub) names a user of another server")
	}
	return fmt.Errorf("the answer (sub) names a user of %s", server)
}
