// Package config turns environment variables and the files they name into one
// validated [Config].
//
// One table holds of every variable its name, its default, what it is for, how
// it is parsed and how it is shown: [Variables] returns it. [Load] reads the
// variables; [Parse] judges, as a pure function, and reports all faults at once,
// each with the name of its variable and what would be right. A fault stops the
// program, so it is what cannot work at all. What merely looks wrong is a
// [Warning]: a deployment that ran with other authorization services keeps
// running. Secrets appear in neither.
package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"matrixrtc-auth/internal/apikey"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// Config is everything the program may be told, validated.
type Config struct {
	// LivekitURL is what clients get, byte for byte (LIVEKIT_URL).
	LivekitURL string
	// URLAliases are other addresses of the same SFU, for clients that name the
	// one that they want.
	URLAliases []string
	// APIURL is the http(s) form of LIVEKIT_INTERNAL_URL, else of LIVEKIT_URL,
	// path prefix kept: where this service calls the SFU's Room API.
	APIURL *url.URL
	// Keys are the API pairs, at least one. The first signs, all verify.
	Keys []apikey.Key

	// FullAccess are the servers whose users may create rooms (and delegate).
	FullAccess ServerList
	// RemoteCanPublish are the servers whose users may publish without full access.
	RemoteCanPublish ServerList
	// CanUpdateOwnMetadata goes into every token.
	CanUpdateOwnMetadata bool
	// TokenTTL is how long a minted token admits its bearer: 1 min to 24 h.
	TokenTTL time.Duration

	// OpenIDTimeout bounds one verification, discovery included.
	OpenIDTimeout time.Duration
	// FederationURLs: where the operator says that a server's federation API is.
	FederationURLs map[matrix.ServerName]*url.URL
	// ClientURLs: where the operator says that a server's Client-Server API is.
	ClientURLs map[matrix.ServerName]*url.URL
	// AllowedNetworks may be dialled for any homeserver, named or not.
	AllowedNetworks []netip.Prefix
	// RootCAs are the system's certificates and those of LIVEKIT_CA_FILE; nil
	// means the system's alone.
	RootCAs *Roots
	// InsecureSkipVerifyTLS accepts any certificate of a homeserver (never of the SFU).
	InsecureSkipVerifyTLS bool

	// Listen is where clients reach the service, Metrics where Prometheus
	// does (zero: nowhere).
	Listen, Metrics Bind
	// TrustedProxies may say who the client is.
	TrustedProxies []netip.Prefix
	// ClientAddress is the header in which they say it, in lower case:
	// "x-forwarded-for", "x-real-ip" or another one.
	ClientAddress string
	// RateLimit is per verified user; the zero value switches every limit off.
	RateLimit RateLimit
	// ShutdownDelay is how long the service goes on before it closes, while
	// /healthz answers 503.
	ShutdownDelay time.Duration
	// TestPage is false when LIVEKIT_TEST_PAGE switches the connection test off.
	TestPage bool

	LogLevel slog.Level
	LogJSON  bool

	// Delegation is false when LIVEKIT_DELEGATION switches delegated leaves off.
	Delegation bool
	// Store is where delegated leaves are kept.
	Store Store
	// MaxJobs bounds the delegated leaves kept at a time, MaxJobsPerUser those
	// of one user.
	MaxJobs, MaxJobsPerUser int
	// ReconnectGrace is how long a participant may take to come back, 0 to 1 min.
	ReconnectGrace time.Duration
	// DelayedEventRate is the requests a second to one homeserver about
	// delayed events; 0 means no bound.
	DelayedEventRate float64
	// SanityCheckInterval is the time between two looks at who is on the SFU;
	// 0 means rarely, not never.
	SanityCheckInterval time.Duration

	// AppService is nil unless the application-service variables are set.
	AppService *AppService

	// Account is nil unless an ordinary account says who is joined.
	Account *Account

	// RequireMembership says who must be joined to the Matrix room.
	RequireMembership Requirement
	// AllowUnseen: who must be joined passes in rooms that Account is not in.
	AllowUnseen bool
	// MembershipInterval is the time between two looks at whether those on the SFU
	// are joined; 0 for none.
	MembershipInterval time.Duration
	// MembershipBrake is false when people are to be removed, however many.
	MembershipBrake bool

	// files are the paths that were read, by variable.
	files map[string]string
}

// File returns the path of the file that was read for a variable, "" for none.
func (c *Config) File(variable string) string { return c.files[variable] }

// Bind is an address to listen on: Network "tcp" and host:port, or "unix" and
// an absolute path. The zero value is nowhere.
type Bind struct{ Network, Address string }

// RateLimit allows PerMinute requests a minute, Burst of them at once. The zero
// value is no limit.
type RateLimit struct{ PerMinute, Burst int }

// AppService is the registration with the operator's homeserver.
type AppService struct {
	ASToken, HSToken secret.Text
	Server           matrix.ServerName
	// PushID is the registration's id if the homeserver pushes events to this
	// service, as far as the registration file says so; else "".
	PushID string
}

// Account is a user of the operator's homeserver as whom the service asks who is
// joined to the rooms that this user is in.
type Account struct {
	Server matrix.ServerName
	Token  secret.Text // the access token
}
