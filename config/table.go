package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"matrixrtc-auth/internal/apikey"
	"matrixrtc-auth/matrix"
)

// table has every variable: its name, its default, its purpose, and how it is
// parsed and shown. Variables are parsed in the order of the table, and their
// faults and warnings have the same order.
var table = []Variable{
	{
		Name: "LIVEKIT_URL", Group: GroupSFU, Form: FormURL,
		Meaning: "required: the ws(s) URL of the SFU, handed to clients unchanged",
		how: how{
			parse: func(j *judge, v value, c *Config) {
				c.LivekitURL, c.APIURL = v.get(), j.apiURL(v, j.variable("LIVEKIT_INTERNAL_URL"))
			},
			show: func(c *Config, _ string) string { return c.LivekitURL },
		},
	},
	{
		Name: "LIVEKIT_URL_ALIASES", Group: GroupSFU, Form: FormURLs,
		Meaning: "other public URLs of the same SFU, by comma or space, that clients of the homeserver's endpoints may name",
		how: field(func(c *Config) *[]string { return &c.URLAliases }, (*judge).sfuURLs,
			func(list []string) string { return strings.Join(list, ",") }),
	},
	{
		Name: "LIVEKIT_INTERNAL_URL", Group: GroupSFU, Form: FormURL,
		Meaning: "where this service reaches the SFU's API (ws, wss, http or https) if LIVEKIT_URL cannot be reached from inside",
		how:     shownAs(func(c *Config) string { return address(c.APIURL) }),
	},
	{
		Name: "LIVEKIT_KEY", Group: GroupKeys, Form: FormText,
		Meaning: "API key of the SFU",
		how:     field(func(c *Config) *[]apikey.Key { return &c.Keys }, (*judge).keys, KeyNames),
	},
	{
		Name: "LIVEKIT_SECRET", Group: GroupKeys, Form: FormSecret, Secret: true,
		Meaning: "its secret: 32 characters or more; with fewer the service starts, and warns",
		how:     shownAs(func(c *Config) string { return showSecrets(c.Keys) }),
	},
	{
		Name: "LIVEKIT_KEY_FROM_FILE", Group: GroupKeys, Form: FormPath,
		Meaning: "a file that holds the API key; wins over LIVEKIT_KEY",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_SECRET_FROM_FILE", Group: GroupKeys, Form: FormPath,
		Meaning: "a file that holds the secret; wins over LIVEKIT_SECRET",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_KEY_FILE", Group: GroupKeys, Form: FormPath,
		Meaning: "a file of lines 'key: secret', the one that LiveKit reads; the first pair signs, all verify; wins over the four above",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_FULL_ACCESS_HOMESERVERS", Group: GroupAccess, Form: FormServers,
		Meaning: "required: the server names, by comma or space, whose users may create rooms; * alone for everyone",
		how:     field(func(c *Config) *ServerList { return &c.FullAccess }, (*judge).fullAccess, ServerList.String),
	},
	{
		Name: "LIVEKIT_LOCAL_HOMESERVERS", Group: GroupAccess, Form: FormServers,
		Meaning: "old name of LIVEKIT_FULL_ACCESS_HOMESERVERS",
	},
	{
		Name: "LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS", Group: GroupAccess, Form: FormServers, Default: "*",
		Meaning: "the server names whose users may publish in existing rooms without full access; name only your own server to let no other publish",
		how:     field(func(c *Config) *ServerList { return &c.RemoteCanPublish }, (*judge).servers, ServerList.String),
	},
	{
		Name: "LIVEKIT_CAN_UPDATE_OWN_METADATA", Group: GroupAccess, Form: FormSwitch, Default: "false",
		Meaning: "whether participants may change their own metadata on the SFU (true or false)",
		how:     field(func(c *Config) *bool { return &c.CanUpdateOwnMetadata }, (*judge).ownMetadata, strconv.FormatBool),
	},
	{
		Name: "LIVEKIT_TOKEN_TTL", Group: GroupAccess, Form: FormDuration, Default: "1h",
		Meaning: "how long a token admits its bearer, 1m to 24h",
		how:     field(func(c *Config) *time.Duration { return &c.TokenTTL }, (*judge).tokenTTL, short),
	},
	{
		Name: "LIVEKIT_OPENID_TIMEOUT", Group: GroupHomeservers, Form: FormDuration, Default: "10s",
		Meaning: "the time for one verification at a homeserver, discovery included, 1s to 20s",
		how:     field(func(c *Config) *time.Duration { return &c.OpenIDTimeout }, (*judge).openIDTimeout, short),
	},
	{
		Name: "LIVEKIT_FEDERATION_URL_OVERRIDES", Group: GroupHomeservers, Form: FormServerAt,
		Meaning: "where to reach the federation API of a server: example.org=http://synapse:8008, several by comma",
		how:     field(func(c *Config) *map[matrix.ServerName]*url.URL { return &c.FederationURLs }, (*judge).overrides, showOverrides),
	},
	{
		Name: "LIVEKIT_CS_API_URL_OVERRIDES", Group: GroupHomeservers, Form: FormServerAt,
		Meaning: "where to reach the Client-Server API of a server: example.org=https://matrix.example.org, several by comma",
		how:     field(func(c *Config) *map[matrix.ServerName]*url.URL { return &c.ClientURLs }, (*judge).overrides, showOverrides),
	},
	{
		Name: "LIVEKIT_ALLOWED_NETWORKS", Group: GroupHomeservers, Form: FormNetworks,
		Meaning: "networks (10.0.0.0/8) or addresses besides the public ones where any homeserver may be; those of the servers you name need none",
		how:     field(func(c *Config) *[]netip.Prefix { return &c.AllowedNetworks }, (*judge).networks, showNetworks),
	},
	{
		Name: "LIVEKIT_CA_FILE", Group: GroupHomeservers, Form: FormPath,
		Meaning: "a PEM file of certificates to trust besides the system's, for homeservers, the SFU and Redis",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.RootCAs = j.rootCAs(v, j.input.SystemRoots) },
			show:  aFile.show,
		},
	},
	{
		Name: "LIVEKIT_INSECURE_SKIP_VERIFY_TLS", Group: GroupHomeservers, Form: FormConsent,
		Meaning: "YES_I_KNOW_WHAT_I_AM_DOING accepts any certificate of any homeserver",
		how:     field(func(c *Config) *bool { return &c.InsecureSkipVerifyTLS }, (*judge).skipVerifyTLS, showConsent),
	},
	{
		Name: "LIVEKIT_JWT_BIND", Group: GroupService, Form: FormBind, Default: ":8080",
		Meaning: "where to listen: :8080, host:port, [::1]:8080 or unix:/path",
		how:     field(func(c *Config) *Bind { return &c.Listen }, (*judge).listen, Bind.String),
	},
	{
		Name: "LIVEKIT_JWT_PORT", Group: GroupService, Form: FormPort,
		Meaning: "the port alone, instead of LIVEKIT_JWT_BIND",
	},
	{
		Name: "LK_JWT_PORT", Group: GroupService, Form: FormPort,
		Meaning: "old name of LIVEKIT_JWT_PORT",
	},
	{
		Name: "LIVEKIT_METRICS_BIND", Group: GroupService, Form: FormBind,
		Meaning: "where to serve Prometheus metrics, written like LIVEKIT_JWT_BIND; off when unset; keep it off the internet",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.Metrics = j.metrics(v, c.Listen) },
			show:  func(c *Config, _ string) string { return c.Metrics.String() },
		},
	},
	{
		Name: "LIVEKIT_TRUSTED_PROXIES", Group: GroupService, Form: FormProxies, Default: "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,::1/128,fc00::/7,fe80::/10",
		Meaning: "networks or addresses of reverse proxies whose word about the client is believed; none for no proxy",
		how:     field(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }, (*judge).trustedProxies, showProxies),
	},
	{
		Name: "LIVEKIT_CLIENT_ADDRESS", Group: GroupService, Form: FormHeader, Default: "x-forwarded-for",
		Meaning: "the header in which they say who the client is: x-forwarded-for (X-Real-IP where that names no address but theirs), x-real-ip, or another one that holds an address, like cf-connecting-ip; clients must not be able to send it past the proxy",
		how:     field(func(c *Config) *string { return &c.ClientAddress }, (*judge).clientAddress, asItIs),
	},
	{
		Name: "LIVEKIT_RATE_LIMIT", Group: GroupService, Form: FormLimit, Default: "60/min,burst=30",
		Meaning: "requests of one user: N/min or N/min,burst=M (M is 30 when left out); off switches every rate limit off",
		how:     field(func(c *Config) *RateLimit { return &c.RateLimit }, (*judge).rateLimit, RateLimit.String),
	},
	{
		Name: "LIVEKIT_SHUTDOWN_DELAY", Group: GroupService, Form: FormDuration, Default: "0s",
		Meaning: "how long /healthz answers 503 before the service closes, 0s to 5m; requests are served meanwhile",
		how:     field(func(c *Config) *time.Duration { return &c.ShutdownDelay }, (*judge).shutdownDelay, short),
	},
	{
		Name: "LIVEKIT_TEST_PAGE", Group: GroupService, Form: FormSwitch, Default: "on",
		Meaning: "whether /test has the page of the connection test, for those who have a link of matrixrtc-auth test-link (on or off)",
		how:     field(func(c *Config) *bool { return &c.TestPage }, (*judge).testPage, showSwitch),
	},
	{
		Name: "LIVEKIT_LOG_LEVEL", Group: GroupService, Form: FormLevel, Default: "info",
		Meaning: "debug, info, warn or error",
		how:     field(func(c *Config) *slog.Level { return &c.LogLevel }, (*judge).logLevel, showLevel),
	},
	{
		Name: "LIVEKIT_LOG_FORMAT", Group: GroupService, Form: FormLog, Default: "text",
		Meaning: "text or json",
		how:     field(func(c *Config) *bool { return &c.LogJSON }, (*judge).logJSON, showFormat),
	},
	{
		Name: "LIVEKIT_DELEGATION", Group: GroupLeaves, Form: FormSwitch, Default: "on",
		Meaning: "whether the service sends the leave of clients that vanish (on or off)",
		how:     field(func(c *Config) *bool { return &c.Delegation }, (*judge).delegation, showSwitch),
	},
	{
		Name: "LIVEKIT_STORE", Group: GroupLeaves, Form: FormStore,
		Meaning: "where delegated leaves are kept: memory, file:/path or redis; when unset, redis if LIVEKIT_REDIS_URL is set, else file:/data/leaves.db if /data is a volume that can be written, else memory",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.Store = j.store(v, c.Delegation) },
			show:  func(c *Config, _ string) string { return c.Store.String() },
		},
	},
	{
		Name: "LIVEKIT_REDIS_URL", Group: GroupLeaves, Form: FormRedis,
		Meaning: "the Redis that several replicas share: redis://host:6379/0, rediss:// for TLS, unix:///path, redis://host:6379?cluster=true&addr=host2:6379 for a cluster, redis://host:26379/0?master_name=mymaster&addr=host2:26379 for Sentinels",
		how:     shownAs(func(c *Config) string { return c.Store.RedisURL.String() }),
	},
	{
		Name: "LIVEKIT_REDIS_PASSWORD", Group: GroupLeaves, Form: FormSecret, Secret: true,
		Meaning: "Redis' password; wins over the one in LIVEKIT_REDIS_URL, which with master_name is the Sentinels'",
		how:     shownAs(func(c *Config) string { return c.Store.RedisPassword.String() }),
	},
	{
		Name: "LIVEKIT_REDIS_PASSWORD_FROM_FILE", Group: GroupLeaves, Form: FormPath,
		Meaning: "a file that holds the password; wins over LIVEKIT_REDIS_PASSWORD",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_REDIS_PREFIX", Group: GroupLeaves, Form: FormPrefix, Default: "matrixrtc-auth",
		Meaning: "begins the names of the keys in Redis, so that services can share one",
		how:     shownAs(func(c *Config) string { return c.Store.RedisPrefix }),
	},
	{
		Name: "LIVEKIT_MAX_JOBS", Group: GroupLeaves, Form: FormCount, Default: "200000",
		Meaning: "how many delegated leaves are kept at a time, 1 to 1000000; a quarter of them for each homeserver that you did not name",
		how:     field(func(c *Config) *int { return &c.MaxJobs }, (*judge).maxJobs, strconv.Itoa),
	},
	{
		Name: "LIVEKIT_MAX_JOBS_PER_USER", Group: GroupLeaves, Form: FormCount, Default: "100",
		Meaning: "how many of them one user may have, 1 to 1000000",
		how:     field(func(c *Config) *int { return &c.MaxJobsPerUser }, (*judge).maxJobs, strconv.Itoa),
	},
	{
		Name: "LIVEKIT_RECONNECT_GRACE", Group: GroupLeaves, Form: FormDuration, Default: "1s",
		Meaning: "how long a participant whose connection broke may take to come back before the leave is sent, 0s to 1m",
		how:     field(func(c *Config) *time.Duration { return &c.ReconnectGrace }, (*judge).reconnectGrace, short),
	},
	{
		Name: "LIVEKIT_DELAYED_EVENT_RATE", Group: GroupLeaves, Form: FormRate, Default: "10/s",
		Meaning: "requests a second to one homeserver that keep leaves alive or send them, 0.1 to 10000; off for no bound; Synapse's rc_delayed_event_mgmt must allow as much",
		how:     field(func(c *Config) *float64 { return &c.DelayedEventRate }, (*judge).delayedEventRate, showRate),
	},
	{
		Name: "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", Group: GroupLeaves, Form: FormSeconds, Default: "60",
		Meaning: "seconds between two looks at who is on the SFU, for webhooks that were lost, at most 86400; 0, and everything over 600, looks every 10 minutes",
		how:     field(func(c *Config) *time.Duration { return &c.SanityCheckInterval }, (*judge).sanityCheckInterval, showSeconds),
	},
	{
		Name: "LIVEKIT_AS_TOKEN", Group: GroupAppService, Form: FormSecret, Secret: true,
		Meaning: "as_token of the application service's registration, for the endpoints that the homeserver proxies",
		how: how{
			parse: func(j *judge, _ value, c *Config) { c.AppService = j.appService() },
			show:  func(c *Config, _ string) string { return c.appService().ASToken.String() },
		},
	},
	{
		Name: "LIVEKIT_HS_TOKEN", Group: GroupAppService, Form: FormSecret, Secret: true,
		Meaning: "hs_token of the application service's registration",
		how:     shownAs(func(c *Config) string { return c.appService().HSToken.String() }),
	},
	{
		Name: "LIVEKIT_AS_REGISTRATION_FILE", Group: GroupAppService, Form: FormPath,
		Meaning: "the registration file (YAML), instead of the two tokens",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_HS_SERVER_NAME", Group: GroupAppService, Form: FormServer,
		Meaning: "the homeserver that says who is joined, by its server name: the one that holds the registration, with the registration file or both tokens; or that of the account, with LIVEKIT_MEMBERSHIP_TOKEN_FILE",
		how:     shownAs(func(c *Config) string { return c.HomeServer().String() }),
	},
	{
		Name: "LIVEKIT_REQUIRE_MEMBERSHIP", Group: GroupMembership, Form: FormWho, Default: "off",
		Meaning: "who must be joined to the Matrix room to get a token with an OpenID token: off for nobody, local for the users of LIVEKIT_HS_SERVER_NAME, on for everyone; through the homeserver everyone must be",
		how: field(func(c *Config) *Requirement { return &c.RequireMembership }, (*judge).requirement,
			func(r Requirement) string { return string(r) }),
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_TOKEN_FILE", Group: GroupMembership, Form: FormPath,
		Meaning: "a file that holds the access token of an ordinary account of LIVEKIT_HS_SERVER_NAME, which says who is joined to the rooms that it is in; for homeservers that take no application service like this one",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.Account = j.account(v) },
			show:  aFile.show,
		},
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_UNKNOWN", Group: GroupMembership, Form: FormUnseen, Default: deny,
		Meaning: "whether those who must be joined get a token in rooms that this account is not in (deny or allow)",
		how:     field(func(c *Config) *bool { return &c.AllowUnseen }, (*judge).allowUnseen, showUnseen),
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS", Group: GroupMembership, Form: FormSeconds, Default: "30",
		Meaning: "seconds between two looks at whether those on the SFU are still in the Matrix room, at most 86400; 0 for none",
		how:     field(func(c *Config) *time.Duration { return &c.MembershipInterval }, (*judge).sanityCheckInterval, showSeconds),
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_BRAKE", Group: GroupMembership, Form: FormSwitch, Default: "on",
		Meaning: "whether nobody is removed when suddenly too many are not in their Matrix rooms (on or off)",
		how:     field(func(c *Config) *bool { return &c.MembershipBrake }, (*judge).delegation, showSwitch),
	},
}
