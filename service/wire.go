package service

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/logqueue"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// shared is what the parts of the service have in common.
type shared struct {
	version     string
	cfg         *config.Config
	credentials *credentials
	strangers   *outbound.Pool // bounds the connections to servers that nobody named
	log         *slog.Logger
	logStatus   func() logqueue.Status
	counters    metrics.Metrics // counts nothing where the configuration has no address for metrics
}

// parts are what a handler is put together from, besides what all share.
type parts struct {
	leaves     *leaves     // nil while delegation is off
	homeserver *homeserver // nil while the service is registered nowhere
	members    *members    // nil while no homeserver says who is joined
	rooms      *sfu.Rooms
}

// newHandler puts the packages together as the configuration says.
func (s *shared) newHandler(p parts) *handler.Handler {
	cfg, verifier := s.cfg, s.newVerifier()
	h := &handler.Handler{
		Access:      s.newAuthorizer(verifier, p),
		URL:         cfg.LivekitURL,
		AppService:  p.homeserver.endpoints(cfg, p.members),
		Homeservers: verifier.Uses,
		Webhooks:    sfu.Webhooks{Keys: s.credentials.keys},
		Closed:      p.rooms.Forget,

		Proxies: handler.Proxies{Trusted: cfg.TrustedProxies, Header: cfg.ClientAddress},
		Log:     s.log,
		Metrics: s.counters,
		Version: s.version,
	}
	if cfg.TestPage {
		h.TestPage = s.newTestPage()
	}
	h.Health = func() handler.Health { return withLog(p.members.health(p.leaves.health()), s.logStatus()) }
	h.LogStatus = func() handler.LogStatus { return statusOfLog(s.logStatus()) }
	if l := p.leaves; l != nil {
		h.Leaves = l.status
		h.Observers = append(h.Observers, l.keeper)
	}
	if m := p.members; m != nil {
		h.MembershipStatus = m.status
		h.Observers = append(h.Observers, m.guard)
	}
	return h
}

// newTestPage serves the connection test.
func (s *shared) newTestPage() *handler.TestPage {
	t := &handler.TestPage{Keys: s.credentials.keys, Rooms: s.newSFUClient(), SFUPort: portOf(s.cfg.APIURL), Uses: handler.NewUseLimiter()}
	if s.cfg.RateLimit != (config.RateLimit{}) {
		t.Clients = handler.NewTestLimiter()
	}
	return t
}

// portOf is LiveKit's own port. LiveKit speaks no TLS: an address with TLS is that
// of what stands before it.
func portOf(api *url.URL) string {
	if api.Scheme != "http" {
		return ""
	}
	return api.Port()
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
func (s *shared) newAuthorizer(verifier *matrix.Verifier, p parts) *access.Authorizer {
	cfg := s.cfg
	a := &access.Authorizer{
		Verifier: verifier,
		Rooms:    p.rooms,
		Minter:   s.credentials,

		FullAccess:           cfg.FullAccess.Contains,
		CanPublish:           cfg.RemoteCanPublish.Contains,
		CanUpdateOwnMetadata: cfg.CanUpdateOwnMetadata,
		Named:                cfg.Named,

		Delegation: p.leaves.delegation(),
		Metrics:    s.counters,
	}
	if hs := p.homeserver; hs != nil {
		a.Remote = hs.api
	}
	if m := p.members; m != nil {
		a.Membership, a.LearnMembership, a.MustBeJoined = m.lookup, true, m.mustBeJoined
		a.AllowUnseen, a.Issuer = cfg.AllowUnseen, m.guard.Issuer
	}
	if cfg.RateLimit != (config.RateLimit{}) {
		a.Users = ratelimit.New[matrix.UserID](ratelimit.Limit(cfg.RateLimit))
		a.Failures = access.NewFailureLimiter()
		a.Origins = access.NewOriginLimiter()
	}
	return a
}

// newVerifier asks homeservers.
func (s *shared) newVerifier() *matrix.Verifier {
	v := &matrix.Verifier{
		Resolver: &matrix.Resolver{Overrides: s.cfg.FederationURLs, Servers: s.newServers()},
		Timeout:  s.cfg.OpenIDTimeout,
		Observe:  s.counters.HomeserverAnswered,
	}
	if s.cfg.RateLimit != (config.RateLimit{}) {
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
	// that leaves in memory is at most 8 times as much.
	maxHandshakes = 3 << 19
)

// newStrangers returns what bounds the connections to servers that nobody
// named. The process has one.
func newStrangers() *outbound.Pool {
	return &outbound.Pool{PerHost: maxPerHost, MaxHandshake: maxHandshake, MaxHandshakes: maxHandshakes}
}

// newServers returns the ways to homeservers, over connections that nobody else
// has. Those that the operator named may be anywhere, and their TLS sessions are
// resumed; all others must have public addresses.
func (s *shared) newServers() matrix.Servers {
	named := s.newTransport(&outbound.Dialer{})
	named.TLS.ClientSessionCache = &outbound.Sessions{}
	named.Pool = &outbound.Pool{Lesser: s.strangers}
	other := s.newTransport(&outbound.Dialer{Permit: outbound.PublicOnly(s.cfg.AllowedNetworks)})
	other.Pool = s.strangers
	return matrix.Servers{Named: s.cfg.Named, NamedTransport: named, OtherTransport: other}
}

func (s *shared) newTransport(dialer *outbound.Dialer) *outbound.Transport {
	t := &outbound.Transport{
		Dial:  dialer.DialContext,
		Roots: s.credentials.roots,
		TLS: &tls.Config{
			InsecureSkipVerify: s.cfg.InsecureSkipVerifyTLS, // the operator knows what they are doing
		},
	}
	s.credentials.distrust = append(s.credentials.distrust, t.CloseIdleConnections)
	return t
}

// newSFUClient returns a client with connections of its own. Where no file is left
// for one, an idle connection to a stranger's homeserver makes room.
func (s *shared) newSFUClient() *sfu.Client {
	connections := sfu.NewHTTPClient(s.credentials.roots, s.strangers.CloseForFile)
	s.credentials.distrust = append(s.credentials.distrust, connections.CloseIdleConnections)
	client := sfu.NewClient(s.cfg.APIURL, s.credentials.keys, connections)
	client.Observe = func(_ string, took time.Duration, err error) { s.counters.SFUAnswered(took, causeOf(err)) }
	return client
}

// causeOf returns why a call of the SFU failed, "" for none.
func causeOf(err error) string {
	if e, ok := errors.AsType[*sfu.Error](err); ok {
		return e.Cause
	}
	return ""
}
