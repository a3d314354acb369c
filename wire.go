package main

import (
	"crypto/tls"
	"log/slog"

	"matrixrtc-auth/access"
	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/logqueue"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// parts are what a handler is put together from, besides the configuration.
type parts struct {
	strangers  *outbound.Pool
	leaves     *leaves     // nil while delegation is off
	homeserver *homeserver // nil while the service is registered nowhere
	rooms      *sfu.Rooms
	logStatus  func() logqueue.Status
}

// newHandler puts the packages together as cfg says.
func newHandler(cfg *config.Config, log *slog.Logger, counters *metrics.Metrics, p parts) *handler.Handler {
	verifier := newVerifier(cfg, p.strangers, counters)
	h := &handler.Handler{
		Access:      newAuthorizer(cfg, counters, verifier, p),
		URL:         cfg.LivekitURL,
		AppService:  p.homeserver.endpoints(cfg),
		Homeservers: verifier.Uses,
		Webhooks:    sfu.Webhooks{Keys: cfg.Keys},

		Proxies: handler.Proxies{Trusted: cfg.TrustedProxies, Header: cfg.ClientAddress},
		Log:     log,
		Metrics: counters,
		Version: buildVersion(),
	}
	h.Health = func() handler.Health { return withLog(p.leaves.health(), p.logStatus()) }
	h.LogStatus = func() handler.LogStatus { return statusOfLog(p.logStatus()) }
	if l := p.leaves; l != nil {
		h.Leaves = l.status
		h.Observers = append(h.Observers, l.keeper)
	}
	return h
}

// withLog adds what the log lacks.
func withLog(h handler.Health, log logqueue.Status) handler.Health {
	if log.Trouble != "" {
		h.Degraded = append(h.Degraded, log.Trouble)
	}
	return h
}

func statusOfLog(log logqueue.Status) handler.LogStatus {
	s := handler.LogStatus{Waiting: log.Waiting, Dropped: log.Dropped}
	if log.Cause != nil {
		s.Cause = log.Cause.Error()
	}
	return s
}

// newAuthorizer decides what callers get.
func newAuthorizer(cfg *config.Config, counters *metrics.Metrics, verifier *matrix.Verifier, p parts) *access.Authorizer {
	a := &access.Authorizer{
		Verifier: verifier,
		Rooms:    p.rooms,
		Minter:   token.NewMinter(cfg.Keys[0], cfg.TokenTTL),

		FullAccess:           cfg.FullAccess.Contains,
		CanPublish:           cfg.RemoteCanPublish.Contains,
		CanUpdateOwnMetadata: cfg.CanUpdateOwnMetadata,
		Named:                cfg.Named,

		Delegation: p.leaves.delegation(),
		Metrics:    counters,
	}
	if hs := p.homeserver; hs != nil {
		a.Membership, a.Remote = membership.NewLookup(hs.api), hs.api
	}
	if cfg.RateLimit != (config.RateLimit{}) {
		a.Users = ratelimit.New[matrix.UserID](ratelimit.Limit(cfg.RateLimit))
		a.Failures = access.NewFailureLimiter()
		a.Origins = access.NewOriginLimiter()
	}
	return a
}

// newVerifier asks homeservers.
func newVerifier(cfg *config.Config, strangers *outbound.Pool, counters *metrics.Metrics) *matrix.Verifier {
	named, other := newTransports(cfg, strangers)
	v := &matrix.Verifier{
		Resolver: &matrix.Resolver{
			Overrides:      cfg.FederationURLs,
			Named:          cfg.Named,
			NamedTransport: named,
			OtherTransport: other,
		},
		Timeout: cfg.OpenIDTimeout,
		Observe: counters.HomeserverAnswered,
	}
	if cfg.RateLimit != (config.RateLimit{}) {
		v.Trials = matrix.NewTrialLimiter()
	}
	return v
}

// What all connections together may hold to servers that nobody named, idle
// ones included.
const (
	// maxPerHost bounds those to one address: many homeservers share the
	// addresses of one provider.
	maxPerHost = 128
	// maxHandshake bounds what such a server may send in a TLS handshake, in
	// bytes. A chain of RSA-4096 with 250 names takes 17.8 kB.
	maxHandshake = 32 << 10
	// maxHandshakes bounds what the handshakes of all of them have read. What
	// that leaves in memory is 7 to 14 times as much.
	maxHandshakes = 2 << 20
)

// newStrangers returns what bounds the connections to servers that nobody
// named. The process has one.
func newStrangers() *outbound.Pool {
	return &outbound.Pool{PerHost: maxPerHost, MaxHandshake: maxHandshake, MaxHandshakes: maxHandshakes}
}

// newTransports returns the ways to homeservers. Those that the operator named
// may be anywhere, and their TLS sessions are resumed; all others must have
// public addresses, and share no connection with the named.
func newTransports(cfg *config.Config, strangers *outbound.Pool) (named, other *outbound.Transport) {
	named = newTransport(cfg, &outbound.Dialer{})
	named.TLS.ClientSessionCache = &outbound.Sessions{}
	other = newTransport(cfg, &outbound.Dialer{Permit: outbound.PublicOnly(cfg.AllowedNetworks)})
	other.Pool = strangers
	return named, other
}

func newTransport(cfg *config.Config, dialer *outbound.Dialer) *outbound.Transport {
	return &outbound.Transport{
		Dial: dialer.DialContext,
		TLS: &tls.Config{
			RootCAs:            cfg.RootCAs,
			InsecureSkipVerify: cfg.InsecureSkipVerifyTLS, // the operator knows what they are doing
		},
	}
}
