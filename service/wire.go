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

// shared holds the values that several parts of the service use.
type shared struct {
	version     string
	cfg         *config.Config
	credentials *credentials
	strangers   *outbound.Pool // bounds the connections to servers that the operator did not name
	log         *slog.Logger
	logStatus   func() logqueue.Status
	counters    metrics.Metrics // if there is no address for metrics, counters counts nothing
}

// parts holds the values that newHandler needs besides those in shared.
type parts struct {
	leaves     leaves
	homeserver *homeserver // nil if the service is not registered at a homeserver
	members    *members    // nil if this service can ask no homeserver who is joined
	rooms      *sfu.Rooms
}

// newHandler makes a handler from the parts of the service, as the
// configuration says.
func (s *shared) newHandler(p parts) *handler.Handler {
	cfg, verifier := s.cfg, s.newVerifier()
	h := &handler.Handler{
		Access:      s.newAuthorizer(verifier, p),
		URL:         cfg.LivekitURL,
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
	if hs := p.homeserver; hs != nil {
		h.AppService = hs.endpoints(cfg, p.members)
	}
	h.Health = func() handler.Health { return s.health(p) }
	h.LogStatus = func() handler.LogStatus { return statusOfLog(s.logStatus()) }
	if p.leaves.on() {
		h.Leaves = p.leaves.status
		h.Observers = append(h.Observers, p.leaves.keeper)
	}
	if m := p.members; m != nil {
		h.MembershipStatus = m.status
		h.Observers = append(h.Observers, m.guard)
	}
	return h
}

// newTestPage returns the connection test.
func (s *shared) newTestPage() *handler.TestPage {
	t := &handler.TestPage{Keys: s.credentials.keys, Rooms: s.newSFUClient(), SFUPort: portOf(s.cfg.APIURL), Uses: handler.NewUseLimiter()}
	if s.cfg.RateLimit != (config.RateLimit{}) {
		t.Clients = handler.NewTestLimiter()
	}
	return t
}

// portOf returns the port on which LiveKit itself listens, or "" if the port is
// unknown. An https URL is the URL of a proxy, because LiveKit has no TLS of
// its own. So it does not show LiveKit's port.
func portOf(api *url.URL) string {
	if api.Scheme != "http" {
		return ""
	}
	return api.Port()
}

// health returns the faults of all parts that are on, and of the log.
func (s *shared) health(p parts) handler.Health {
	h := p.leaves.health()
	if p.members != nil {
		h = p.members.health(h)
	}
	if log := s.logStatus(); log.Trouble != "" {
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

// newAuthorizer returns the Authorizer, which decides what token a caller gets.
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

// newVerifier returns the Verifier, which asks homeservers to which user an OpenID
// token belongs.
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

// These bounds apply to all connections, even idle ones, to servers that the
// operator did not name.
const (
	// maxPerHost is how many connections one address may have. It is high,
	// because one provider may serve many homeservers at one address.
	maxPerHost = 128
	// maxHandshake is how many bytes a server may send in a TLS handshake. For
	// comparison, a chain of RSA-4096 certificates with 250 names takes 17.8
	// kB.
	maxHandshake = 32 << 10
	// maxHandshakes bounds the sum of the bytes that the TLS handshakes of all
	// open connections have received. The result of a handshake takes up to 8
	// times as many bytes in memory.
	maxHandshakes = 3 << 19
)

// newStrangers returns the pool that bounds the connections to servers that the
// operator did not name. A process may have only one such pool.
func newStrangers() *outbound.Pool {
	return &outbound.Pool{PerHost: maxPerHost, MaxHandshake: maxHandshake, MaxHandshakes: maxHandshakes}
}

// newServers returns the transports to homeservers. Each call returns
// transports with their own connections. A server that the operator named may
// have any address, and its transport resumes TLS sessions. All other servers
// must have public addresses, or addresses in the allowed networks of the
// configuration.
func (s *shared) newServers() matrix.Servers {
	named := s.newTransport(&outbound.Dialer{})
	named.TLS.ClientSessionCache = &outbound.Sessions{}
	named.Pool = &outbound.Pool{Lesser: s.strangers}
	other := s.newTransport(&outbound.Dialer{Permit: outbound.PublicOnly(s.cfg.AllowedNetworks)})
	other.Pool = s.strangers
	return matrix.Servers{Named: s.cfg.Named, NamedTransport: named, OtherTransport: other}
}

// newTransport returns a transport that trusts the system's certificates and
// the certificates in LIVEKIT_CA_FILE. If LIVEKIT_INSECURE_SKIP_VERIFY_TLS is
// set, the transport checks no certificate.
func (s *shared) newTransport(dialer *outbound.Dialer) *outbound.Transport {
	t := &outbound.Transport{
		Dial:  dialer.DialContext,
		Roots: s.credentials.roots,
		TLS: &tls.Config{
			InsecureSkipVerify: s.cfg.InsecureSkipVerifyTLS, // true only if the operator has set this variable
		},
	}
	s.credentials.distrust = append(s.credentials.distrust, t.CloseIdleConnections)
	return t
}

// newSFUClient returns a client with its own connections. If the process cannot
// open another file for a new connection, the client closes an idle connection
// to a server that the operator did not name.
func (s *shared) newSFUClient() *sfu.Client {
	connections := sfu.NewHTTPClient(s.credentials.roots, s.strangers.CloseForFile)
	s.credentials.distrust = append(s.credentials.distrust, connections.CloseIdleConnections)
	client := sfu.NewClient(s.cfg.APIURL, s.credentials.keys, connections)
	client.Observe = func(_ string, took time.Duration, err error) { s.counters.SFUAnswered(took, causeOf(err)) }
	return client
}

// causeOf returns the cause of an error of the SFU's API, or "" if err is nil.
func causeOf(err error) string {
	if e, ok := errors.AsType[*sfu.Error](err); ok {
		return e.Cause
	}
	return ""
}
