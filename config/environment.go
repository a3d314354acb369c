package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// Environment holds every variable that the program reads, as found. The tags
// are the one place that says a variable's name (envconfig), what holds when
// it is unset or empty (unset) and what it is for (meaning); see [Variables].
//
// The tag is not envconfig's own "default": that would make an unset variable
// look set, and LIVEKIT_JWT_BIND and LIVEKIT_JWT_PORT exclude each other.
type Environment struct {
	URL         Value `envconfig:"LIVEKIT_URL" meaning:"required: the ws(s) URL of the SFU, handed to clients unchanged"`
	InternalURL Value `envconfig:"LIVEKIT_INTERNAL_URL" meaning:"where this service reaches the SFU's API (ws, wss, http or https) if LIVEKIT_URL cannot be reached from inside"`

	Key            Value `envconfig:"LIVEKIT_KEY" meaning:"API key of the SFU"`
	Secret         Value `envconfig:"LIVEKIT_SECRET" meaning:"its secret, at least 32 characters"`
	KeyFromFile    Value `envconfig:"LIVEKIT_KEY_FROM_FILE" meaning:"a file that holds the API key; wins over LIVEKIT_KEY"`
	SecretFromFile Value `envconfig:"LIVEKIT_SECRET_FROM_FILE" meaning:"a file that holds the secret; wins over LIVEKIT_SECRET"`
	KeyFile        Value `envconfig:"LIVEKIT_KEY_FILE" meaning:"a file of lines 'key: secret', the one that LiveKit reads; the first pair signs, all verify; wins over the four above"`

	FullAccess           Value `envconfig:"LIVEKIT_FULL_ACCESS_HOMESERVERS" meaning:"required: the server names, by comma or space, whose users may create rooms; * alone for everyone"`
	LocalHomeservers     Value `envconfig:"LIVEKIT_LOCAL_HOMESERVERS" meaning:"old name of LIVEKIT_FULL_ACCESS_HOMESERVERS"`
	RemoteCanPublish     Value `envconfig:"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS" unset:"*" meaning:"the server names whose users may publish in existing rooms without full access; name only your own server to let no other publish"`
	CanUpdateOwnMetadata Value `envconfig:"LIVEKIT_CAN_UPDATE_OWN_METADATA" unset:"false" meaning:"whether participants may change their own metadata on the SFU (true or false)"`
	TokenTTL             Value `envconfig:"LIVEKIT_TOKEN_TTL" unset:"1h" meaning:"how long a token admits its bearer, 1m to 24h"`

	OpenIDTimeout         Value `envconfig:"LIVEKIT_OPENID_TIMEOUT" unset:"10s" meaning:"the time for one verification at a homeserver, discovery included, 1s to 20s"`
	FederationURLs        Value `envconfig:"LIVEKIT_FEDERATION_URL_OVERRIDES" meaning:"where to reach the federation API of a server: example.org=http://synapse:8008, several by comma"`
	ClientURLs            Value `envconfig:"LIVEKIT_CS_API_URL_OVERRIDES" meaning:"where to reach the Client-Server API of a server: example.org=https://matrix.example.org, several by comma"`
	AllowedNetworks       Value `envconfig:"LIVEKIT_ALLOWED_NETWORKS" meaning:"networks (10.0.0.0/8) or addresses besides the public ones where any homeserver may be; those of the servers you name need none"`
	CAFile                Value `envconfig:"LIVEKIT_CA_FILE" meaning:"a PEM file of certificates to trust besides the system's, for homeservers, the SFU and Redis"`
	InsecureSkipVerifyTLS Value `envconfig:"LIVEKIT_INSECURE_SKIP_VERIFY_TLS" meaning:"YES_I_KNOW_WHAT_I_AM_DOING accepts any certificate of any homeserver"`

	JWTBind        Value `envconfig:"LIVEKIT_JWT_BIND" unset:":8080" meaning:"where to listen: :8080, host:port, [::1]:8080 or unix:/path"`
	JWTPort        Value `envconfig:"LIVEKIT_JWT_PORT" meaning:"the port alone, instead of LIVEKIT_JWT_BIND"`
	LKJWTPort      Value `envconfig:"LK_JWT_PORT" meaning:"old name of LIVEKIT_JWT_PORT"`
	MetricsBind    Value `envconfig:"LIVEKIT_METRICS_BIND" meaning:"where to serve Prometheus metrics, written like LIVEKIT_JWT_BIND; off when unset; keep it off the internet"`
	TrustedProxies Value `envconfig:"LIVEKIT_TRUSTED_PROXIES" unset:"127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1/128,fc00::/7,fe80::/10" meaning:"networks or addresses of reverse proxies whose word about the client is believed; none for no proxy"`
	ClientAddress  Value `envconfig:"LIVEKIT_CLIENT_ADDRESS" unset:"x-forwarded-for" meaning:"the header in which they say who the client is: x-forwarded-for (X-Real-IP where that names no address but theirs), x-real-ip, or another one that holds an address, like cf-connecting-ip; clients must not be able to send it past the proxy"`
	RateLimit      Value `envconfig:"LIVEKIT_RATE_LIMIT" unset:"60/min,burst=30" meaning:"requests of one user: N/min or N/min,burst=M (M is 30 when left out); off switches every rate limit off"`
	ShutdownDelay  Value `envconfig:"LIVEKIT_SHUTDOWN_DELAY" unset:"0s" meaning:"how long to answer 503 before closing, 0s to 5m"`
	LogLevel       Value `envconfig:"LIVEKIT_LOG_LEVEL" unset:"info" meaning:"debug, info, warn or error"`
	LogFormat      Value `envconfig:"LIVEKIT_LOG_FORMAT" unset:"text" meaning:"text or json"`

	Delegation            Value `envconfig:"LIVEKIT_DELEGATION" unset:"on" meaning:"whether the service sends the leave of clients that vanish (on or off)"`
	Store                 Value `envconfig:"LIVEKIT_STORE" meaning:"where delegated leaves are kept: memory, file:/path or redis; when unset, redis if LIVEKIT_REDIS_URL is set, else file:/data/leaves.db if /data is writable, else memory"`
	RedisURL              Value `envconfig:"LIVEKIT_REDIS_URL" meaning:"the Redis that several replicas share: redis://host:6379/0, rediss:// for TLS, unix:///path, redis://host:6379?cluster=true&addr=host2:6379 for a cluster"`
	RedisPassword         Value `envconfig:"LIVEKIT_REDIS_PASSWORD" meaning:"its password; wins over the one in LIVEKIT_REDIS_URL"`
	RedisPasswordFromFile Value `envconfig:"LIVEKIT_REDIS_PASSWORD_FROM_FILE" meaning:"a file that holds the password; wins over LIVEKIT_REDIS_PASSWORD"`
	RedisPrefix           Value `envconfig:"LIVEKIT_REDIS_PREFIX" unset:"matrixrtc-auth" meaning:"begins the names of the keys in Redis, so that services can share one"`
	MaxJobs               Value `envconfig:"LIVEKIT_MAX_JOBS" unset:"200000" meaning:"how many delegated leaves are kept at a time, 1 to 1000000"`
	MaxJobsPerUser        Value `envconfig:"LIVEKIT_MAX_JOBS_PER_USER" unset:"100" meaning:"how many of them one user may have, 1 to 1000000"`
	ReconnectGrace        Value `envconfig:"LIVEKIT_RECONNECT_GRACE" unset:"1s" meaning:"how long a participant whose connection broke may take to come back before the leave is sent, 0s to 1m"`
	DelayedEventRate      Value `envconfig:"LIVEKIT_DELAYED_EVENT_RATE" unset:"10/s" meaning:"requests a second to one homeserver that keep leaves alive or send them, 0.1 to 10000; off for no bound; Synapse's rc_delayed_event_mgmt must allow as much"`
	SanityCheckInterval   Value `envconfig:"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS" unset:"60" meaning:"seconds between two looks at who is on the SFU, for webhooks that were lost, at most 86400; 0, and everything over 600, looks every 10 minutes"`

	ASToken          Value `envconfig:"LIVEKIT_AS_TOKEN" meaning:"as_token of the application service's registration; not used yet"`
	HSToken          Value `envconfig:"LIVEKIT_HS_TOKEN" meaning:"hs_token of the application service's registration; not used yet"`
	RegistrationFile Value `envconfig:"LIVEKIT_AS_REGISTRATION_FILE" meaning:"the registration file (YAML), instead of the two tokens; not used yet"`
	HSServerName     Value `envconfig:"LIVEKIT_HS_SERVER_NAME" meaning:"server name of the homeserver that holds the registration; not used yet"`
}

// Input is everything that [Parse] judges, besides the files that it names.
type Input struct {
	Environment
	// Others are the names of variables that look like ours but are not.
	Others []string
	// DataWritable reports that files can be made in /data.
	DataWritable bool
	// SystemRoots are the certificates that LIVEKIT_CA_FILE adds to; nil for none.
	SystemRoots *x509.CertPool
}

// Load reads the environment and the files that it names. Warnings are for the
// log, also when there is an error; the error joins every [Fault], and with it
// the Config holds nothing but how to log.
func Load() (Config, []string, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	return Parse(in, readFile)
}

// Inspect is [Load] for tools that look at a deployment instead of serving it:
// with an error the Config holds whatever has no fault, and zero values for
// the rest.
func Inspect() (Config, []string, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	return parse(in, readFile)
}

// File returns the path of the file that was read for a variable, "" for none.
func (c *Config) File(variable string) string { return c.files[variable] }

// LoadListen reads LIVEKIT_JWT_BIND or its port form alone: the health check
// must find the service whatever has become of other variables and files.
func LoadListen() (Bind, error) {
	in, err := read()
	if err != nil {
		return Bind{}, err
	}
	in.describe()
	j := judge{}
	return j.listen(in.Environment), j.err()
}

func read() (Input, error) {
	var in Input
	if err := envconfig.Process("", &in.Environment); err != nil {
		return Input{}, fmt.Errorf("reading the environment: %w", err)
	}
	in.Others = others(os.Environ())
	in.DataWritable = writable(dataDir)
	if in.CAFile.isSet() {
		// A system without certificates (or an image without the file) is no
		// fault: then those of the file are all there is.
		in.SystemRoots, _ = x509.SystemCertPool()
	}
	return in, nil
}

func others(environ []string) []string {
	known := names()
	var list []string
	for _, assignment := range environ {
		name, _, _ := strings.Cut(assignment, "=")
		if strings.HasPrefix(name, "LIVEKIT_") && !known[name] {
			list = append(list, name)
		}
	}
	return list
}
