package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/seldom"
	"matrixrtc-auth/matrix"
)

// account is a Matrix user. With this user's access token, the service asks the
// homeserver who is joined to a room.
type account struct {
	api *matrix.Account
	log *slog.Logger

	mu      sync.Mutex
	trouble string    // why the homeserver does not say who is joined; "" while it does
	since   time.Time // when the homeserver stopped saying who is joined
	unseen  uint64
	warned  bool // whether the log shows a warning that the homeserver does not say who is joined
	seldom  seldom.Warning
}

// newAccount returns the account that the operator has configured, or nil if
// there is none.
func (s *shared) newAccount() *account {
	if s.cfg.Account == nil {
		return nil
	}
	a := &account{log: s.log}
	a.api = &matrix.Account{
		Server: s.cfg.Account.Server, Token: s.credentials.accountToken, Observe: a.observe,
		APIs: &matrix.ClientAPIs{Overrides: s.cfg.ClientURLs, Servers: s.newRolls()},
	}
	return a
}

// newRolls returns the transports with which the account reads the members of
// rooms. They have their own connections, and accept answers that are as large
// as a list of members. The account asks only servers that the operator named.
func (s *shared) newRolls() matrix.Servers {
	named := s.newTransport(&outbound.Dialer{})
	named.TLS.ClientSessionCache = &outbound.Sessions{}
	named.Pool = &outbound.Pool{Lesser: s.strangers}
	named.MaxResponseBytes = matrix.MaxMembersBytes
	return matrix.Servers{Named: s.cfg.Named, NamedTransport: named}
}

// start asks the homeserver to which user the access token belongs. So if the
// homeserver refuses the token, the log says that already at the start.
func (a *account) start(ctx context.Context) {
	if self, err := a.api.WhoAmI(ctx); err == nil {
		a.log.Info("membership: this service asks the homeserver as the account of LIVEKIT_MEMBERSHIP_TOKEN_FILE who is joined to the rooms of that account", "user", self.String())
	}
}

// observe gets the result of each question to the homeserver. It logs a warning
// when the homeserver stops answering, or begins to fail for another reason. It
// logs such warnings only at a limited rate.
func (a *account) observe(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e, failed := errors.AsType[*matrix.AccountError](err); {
	case errors.Is(err, matrix.ErrNotInRoom):
		a.unseen++
		a.answered()
	case !failed:
		a.answered()
	case e.Cause != matrix.CauseCanceled:
		a.failed(e)
	}
}

func (a *account) answered() {
	if a.warned {
		a.log.Info("membership: the homeserver again says who is joined")
	}
	a.trouble, a.warned = "", false
}

func (a *account) failed(e *matrix.AccountError) {
	now := time.Now()
	if a.trouble == "" {
		a.since = now
	}
	before := a.trouble
	a.trouble = string(e.Cause) + ": " + e.Err.Error()
	if e.IsTokenRefused() {
		a.trouble = "the access token is refused: " + e.Err.Error()
	}
	if a.trouble == before || !a.seldom.Due(now) {
		return
	}
	a.warned = true
	remedy := "until then nobody is removed from LiveKit, and users who must be joined get no token"
	if e.IsTokenRefused() {
		remedy = "log the account in again, write the new token into LIVEKIT_MEMBERSHIP_TOKEN_FILE, and send SIGHUP; " + remedy
	}
	a.log.Warn("membership: the homeserver does not say who is joined", "cause", e.Cause, "status", e.Status, "err", e.Err, "remedy", remedy)
}

// status returns what /_status shows of the account.
func (a *account) status() *handler.AccountStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &handler.AccountStatus{User: a.api.Self().String(), Answers: a.trouble == "", Error: a.trouble, Unseen: a.unseen}
	if since := a.since.UTC(); a.trouble != "" {
		s.Since = &since
	}
	return s
}

// health adds a fault to h if the homeserver does not say who is joined, and
// returns h.
func (a *account) health(h handler.Health) handler.Health {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trouble != "" {
		h.Degraded = append(h.Degraded, "the homeserver does not say who is joined to its rooms")
	}
	return h
}
