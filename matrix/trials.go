package matrix

import (
	"errors"
	"net/netip"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/ratelimit"
)

// NewTrialLimiter returns the limit of trials for each client network. A trial
// is a request to a server that is not yet known to be a homeserver.
//
// Trials count even if they do not fail, so that nobody can scan networks or
// flood a host through this service. A client over the limit gets 401, as after
// every failed verification. The limit is as strict as that of failed
// verifications.
func NewTrialLimiter() ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 60, Burst: 60})
}

const (
	// provenTime is how long a server counts as a homeserver after it has
	// answered as a homeserver does.
	provenTime = time.Hour
	// deadTime is how long this service does not ask a server that it could not
	// reach. In this time, clients' requests about that server do not count as trials
	// (requests to a server that is not yet known to be a homeserver).
	deadTime = 2 * time.Second
)

// record is what this service has learned about a server that the operator did
// not name.
type record struct {
	proven time.Time // until when the server counts as a homeserver
	dead   time.Time // until when this service does not ask the server again
	cause  Cause     // why this service could not reach the server
	addr   string
}

// try must be called before a request to server. If server is not known to be a
// homeserver, the request counts as a trial ([NewTrialLimiter]). If try returns an
// error, the caller must not ask server now. Otherwise the caller must call end
// with the error of the request, or nil.
func (v *Verifier) try(c *class, server ServerName, from netip.Prefix) (end func(error), err error) {
	if c.isNamed || !v.Trials.Limits() {
		return func(error) {}, nil
	}
	now := time.Now()
	known, _ := c.records.Get(server)
	switch {
	case now.Before(known.dead):
		return nil, &VerifyError{Cause: known.cause, Server: server, Addr: known.addr, Err: errDead}
	case now.Before(known.proven):
		return func(err error) { c.learn(server, known, err) }, nil
	}
	if wait := v.Trials.Take(from); wait > 0 {
		return nil, &VerifyError{Cause: CauseBusy, Server: server, Err: errTrials}
	}
	return func(err error) {
		c.learn(server, known, err)
		if isAnswer(err) || isBusy(err) || outbound.IsNoFile(err) {
			v.Trials.Return(from)
		}
	}, nil
}

var (
	errDead   = errors.New("the server could not be reached a moment ago, so it was not asked again")
	errTrials = errors.New("the client's network has named too many servers that are not homeservers")
)

// learn records whether a request showed that server is a homeserver, or that
// this service cannot reach it. err is the error of the request, or nil.
func (c *class) learn(server ServerName, known record, err error) {
	now := time.Now()
	switch {
	case isAnswer(err):
		if known.proven.After(now.Add(provenTime / 2)) {
			return
		}
		known = record{proven: now.Add(provenTime)}
	case unreachable(err):
		e, _ := errors.AsType[*VerifyError](err)
		known.dead, known.cause, known.addr = now.Add(deadTime), e.Cause, e.Addr
	default:
		return
	}
	c.records.Add(server, known)
}

// isAnswer reports whether a homeserver answered. It returns true even if the
// homeserver does not know the token.
func isAnswer(err error) bool {
	e, failed := errors.AsType[*VerifyError](err)
	return err == nil || failed && e.ByHomeserver
}

func isBusy(err error) bool {
	e, ok := errors.AsType[*VerifyError](err)
	return ok && e.Cause == CauseBusy
}
