// Package config turns environment variables and the files they name into one
// validated [Config].
//
// One table holds for every variable its name, its default, its purpose, and
// how it is parsed and shown; [Variables] returns the table. [Load] reads the
// variables. [Parse] is a pure function that checks them. It reports all faults
// at once, each with the name of its variable and the remedy. A [Fault] stops
// the program, because it cannot work with that value. A [Warning] only says
// that a value looks wrong, so that deployments of other authorization services
// keep running. Neither contains secrets.
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

// Config is the validated configuration.
type Config struct {
	// LivekitURL is the SFU's URL that clients get, unchanged (LIVEKIT_URL).
	LivekitURL string
	// URLAliases are other URLs of the same SFU, which clients may name.
	URLAliases []string
	// APIURL is the http(s) form of LIVEKIT_INTERNAL_URL, else of LIVEKIT_URL,
	// with its path prefix. This service calls the SFU's Room API there.
	APIURL *url.URL
	// Keys are the API pairs, at least one. The first one signs; webhooks signed
	// with any of them are valid.
	Keys []apikey.Key

	// FullAccess are the servers whose users may create rooms and delegate
	// leaves.
	FullAccess ServerList
	// RemoteCanPublish are the servers whose users may publish without full access.
	RemoteCanPublish ServerList
	// CanUpdateOwnMetadata is set in every token.
	CanUpdateOwnMetadata bool
	// TokenTTL is how long a token is valid: 1 min to 24 h.
	TokenTTL time.Duration

	// OpenIDTimeout bounds one verification, discovery included.
	OpenIDTimeout time.Duration
	// FederationURLs are the federation APIs that the operator set for servers.
	FederationURLs map[matrix.ServerName]*url.URL
	// ClientURLs are the Client-Server APIs that the operator set for servers.
	ClientURLs map[matrix.ServerName]*url.URL
	// AllowedNetworks are addresses to which the service may connect for any
	// homeserver, named or not.
	AllowedNetworks []netip.Prefix
	// RootCAs are the system's certificates and those of LIVEKIT_CA_FILE. nil
	// means only the system's.
	RootCAs *Roots
	// InsecureSkipVerifyTLS accepts any certificate of a homeserver, but not of
	// the SFU.
	InsecureSkipVerifyTLS bool

	// Listen is the address for clients, Metrics the one for Prometheus (zero:
	// none).
	Listen, Metrics Bind
	// TrustedProxies are the networks of the reverse proxies that may name the
	// client.
	TrustedProxies []netip.Prefix
	// ClientAddress is the header in which they name it, in lower case:
	// "x-forwarded-for", "x-real-ip" or another one.
	ClientAddress string
	// RateLimit applies to each verified user. The zero value switches all limits
	// off.
	RateLimit RateLimit
	// ShutdownDelay is how long the service keeps serving after the signal to
	// end, while /healthz answers 503.
	ShutdownDelay time.Duration
	// TestPage is false if LIVEKIT_TEST_PAGE switches the connection test off.
	TestPage bool

	LogLevel slog.Level
	LogJSON  bool

	// Delegation is false if LIVEKIT_DELEGATION switches delegated leaves off.
	Delegation bool
	// Store says where delegated leaves are stored.
	Store Store
	// MaxJobs bounds the delegated leaves at a time, MaxJobsPerUser those of one
	// user.
	MaxJobs, MaxJobsPerUser int
	// ReconnectGrace is how long a participant may take to reconnect, 0 to 1 min.
	ReconnectGrace time.Duration
	// DelayedEventRate is how many requests a second one homeserver gets about
	// delayed events. 0 means no bound.
	DelayedEventRate float64
	// SanityCheckInterval is the time between two checks of who is on the SFU. 0
	// means rarely, not never.
	SanityCheckInterval time.Duration

	// AppService is nil unless the application-service variables are set.
	AppService *AppService

	// Account is nil unless an ordinary account asks who is joined.
	Account *Account

	// RequireMembership says who must be joined to the Matrix room.
	RequireMembership Requirement
	// AllowUnseen admits users who must be joined to rooms that Account is not
	// in.
	AllowUnseen bool
	// MembershipInterval is the time between two checks whether participants on
	// the SFU are joined to the Matrix room. 0 means none.
	MembershipInterval time.Duration
	// MembershipBrake is false if the guard may remove any number of people at
	// once.
	MembershipBrake bool

	// files are the paths of the files that were read, by variable.
	files map[string]string
}

// File returns the path of the file that was read for a variable, "" if there
// is none.
func (c *Config) File(variable string) string { return c.files[variable] }

// Bind is an address to listen on: Network "tcp" and host:port, or "unix" and
// an absolute path. The zero value means none.
type Bind struct{ Network, Address string }

// RateLimit allows PerMinute requests a minute, and Burst at once. The zero
// value means no limit.
type RateLimit struct{ PerMinute, Burst int }

// AppService is the registration with the operator's homeserver.
type AppService struct {
	ASToken, HSToken secret.Text
	Server           matrix.ServerName
	// PushID is the id in the registration file, if that file says that the
	// homeserver pushes events to this service; else "".
	PushID string
}

// Account is a user of the operator's homeserver. The service asks as this user
// who is joined to the rooms that the user is in.
type Account struct {
	Server matrix.ServerName
	Token  secret.Text // the access token
}
