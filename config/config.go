// Package config makes one validated [Config] from the environment variables
// and the files that they name.
//
// A table has the name, the default and the purpose of every variable, and how
// the variable is parsed and shown. [Variables] returns the table. [Load] reads
// the variables. [Parse] is a pure function that checks the variables. Parse
// does not stop at the first fault. It reports all faults, each with the name
// of its variable and the remedy.
//
// A [Fault] stops the program, because the program cannot work with the value.
// A [Warning] says that a value looks wrong. A warning does not stop the
// program, so that configurations for other authorization services keep
// working. No fault and no warning contains a secret.
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
	// LivekitURL is the SFU's URL for clients, exactly as LIVEKIT_URL has it.
	LivekitURL string
	// URLAliases are other URLs of the same SFU. Clients may name the SFU by
	// one of them.
	URLAliases []string
	// APIURL is the URL at which the service calls the SFU's Room API: the
	// http(s) form of LIVEKIT_INTERNAL_URL. If LIVEKIT_INTERNAL_URL is unset,
	// APIURL is the http(s) form of LIVEKIT_URL. APIURL keeps the path prefix.
	APIURL *url.URL
	// Keys are the API keys with their secrets, at least one. The service signs
	// tokens with the first one, and accepts webhooks that are signed with any
	// of them.
	Keys []apikey.Key

	// FullAccess are the servers whose users may create rooms and hand over
	// delegated leaves.
	FullAccess ServerList
	// RemoteCanPublish are the servers whose users may publish media although
	// they have no full access.
	RemoteCanPublish ServerList
	// CanUpdateOwnMetadata is put into every token as the grant of the same
	// name.
	CanUpdateOwnMetadata bool
	// TokenTTL is how long a token is valid: 1 min to 24 h.
	TokenTTL time.Duration

	// OpenIDTimeout bounds the time to verify one OpenID token. The time
	// includes the discovery of the homeserver.
	OpenIDTimeout time.Duration
	// FederationURLs are the URLs of the federation APIs that the operator has
	// set, by server name.
	FederationURLs map[matrix.ServerName]*url.URL
	// ClientURLs are the URLs of the Client-Server APIs that the operator has
	// set, by server name.
	ClientURLs map[matrix.ServerName]*url.URL
	// AllowedNetworks are networks that are not public, but in which the
	// service may connect to any homeserver.
	AllowedNetworks []netip.Prefix
	// RootCAs are the system's certificates and those of LIVEKIT_CA_FILE. nil
	// means only the system's.
	RootCAs *Roots
	// InsecureSkipVerifyTLS means that the service accepts any certificate of a
	// homeserver. The service still checks the SFU's certificate.
	InsecureSkipVerifyTLS bool

	// Listen is the address at which clients reach the service. Metrics is the
	// address for Prometheus; zero for none.
	Listen, Metrics Bind
	// TrustedProxies are the networks of reverse proxies. Only these proxies
	// can tell the service the client's address.
	TrustedProxies []netip.Prefix
	// ClientAddress is the header in which a trusted proxy writes the client's
	// address, in lower case: "x-forwarded-for", "x-real-ip" or another one.
	ClientAddress string
	// RateLimit bounds the requests of each verified user. The zero value
	// switches all rate limits off.
	RateLimit RateLimit
	// ShutdownDelay is how long the service keeps serving after the signal to
	// end. During this time /healthz answers 503.
	ShutdownDelay time.Duration
	// TestPage says whether the service has the page of the connection test.
	// LIVEKIT_TEST_PAGE switches it off.
	TestPage bool

	LogLevel slog.Level
	LogJSON  bool

	// Delegation says whether the service takes over leaves that clients
	// delegate. It is false if LIVEKIT_DELEGATION is off.
	Delegation bool
	// Store says where the service keeps delegated leaves.
	Store Store
	// MaxJobs is the largest number of delegated leaves that the service keeps
	// at the same time. MaxJobsPerUser is the largest number of leaves of one
	// user.
	MaxJobs, MaxJobsPerUser int
	// ReconnectGrace is how long the service waits for a participant to
	// reconnect before it sends the leave: 0 to 1 min.
	ReconnectGrace time.Duration
	// DelayedEventRate is the largest number of requests per second that the
	// service sends to one homeserver about delayed events. 0 means no bound.
	DelayedEventRate float64
	// SanityCheckInterval is the time between two checks of who is on the SFU.
	// Longer times than 10 min, and 0, have the effect of 10 min.
	SanityCheckInterval time.Duration

	// AppService is nil unless the application-service variables are set.
	AppService *AppService

	// Account is the user account with which the service asks the homeserver
	// who is joined to a Matrix room. It is nil if there is none.
	Account *Account

	// RequireMembership says which users must be joined to the Matrix room.
	RequireMembership Requirement
	// AllowUnseen means that the service admits users in rooms that Account is
	// not in. For such rooms the service cannot find out whether these users
	// are joined.
	AllowUnseen bool
	// MembershipInterval is the time between two checks whether participants on
	// the SFU are joined to the Matrix room. 0 means that there are no such
	// checks.
	MembershipInterval time.Duration
	// MembershipBrake means that the guard removes nobody if it would remove
	// very many people within a minute: more than 20, and more than a third of
	// all whom it checked. If MembershipBrake is false, the guard removes any
	// number of people.
	MembershipBrake bool

	// files has the path of each file that was read, by the variable that named
	// it.
	files map[string]string
}

// File returns the path of the file that was read for a variable. It returns ""
// if no file was read for the variable.
func (c *Config) File(variable string) string { return c.files[variable] }

// Bind is an address to listen on. If Network is "tcp", Address is host:port.
// If Network is "unix", Address is an absolute path. The zero value means no
// address.
type Bind struct{ Network, Address string }

// RateLimit allows PerMinute requests per minute on average, and up to Burst
// requests without a pause. The zero value means no limit.
type RateLimit struct{ PerMinute, Burst int }

// AppService is the service's registration with the operator's homeserver.
type AppService struct {
	ASToken, HSToken secret.Text
	Server           matrix.ServerName
	// PushID is the id in the registration file. It is "" if the file has no
	// URL of this service, because then the homeserver pushes no events.
	PushID string
}

// Account is a user account on the operator's homeserver. With this account the
// service asks who is joined to the rooms that the account is in.
type Account struct {
	Server matrix.ServerName
	Token  secret.Text // the account's access token
}
