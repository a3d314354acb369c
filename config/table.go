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
		Meaning: "required: the URL of LiveKit (the SFU), which clients get unchanged; they expect `wss://` or `ws://`",
		how: how{
			parse: func(j *judge, v value, c *Config) {
				c.LivekitURL, c.APIURL = v.get(), j.apiURL(v, j.variable("LIVEKIT_INTERNAL_URL"))
			},
			show: func(c *Config, _ string) string { return c.LivekitURL },
		},
	},
	{
		Name: "LIVEKIT_URL_ALIASES", Group: GroupSFU, Form: FormURLs,
		Meaning: "other public URLs of the same LiveKit that clients may name when they ask through the homeserver",
		how: field(func(c *Config) *[]string { return &c.URLAliases }, (*judge).sfuURLs,
			func(list []string) string { return strings.Join(list, ",") }),
	},
	{
		Name: "LIVEKIT_INTERNAL_URL", Group: GroupSFU, Form: FormURL,
		Meaning: "the URL at which this service itself reaches LiveKit's API; when unset, the service uses the URL in `LIVEKIT_URL`",
		how:     shownAs(func(c *Config) string { return address(c.APIURL) }),
	},
	{
		Name: "LIVEKIT_KEY", Group: GroupKeys, Form: FormText,
		Meaning: "the name of the API key; LiveKit must have the same key",
		how:     field(func(c *Config) *[]apikey.Key { return &c.Keys }, (*judge).keys, KeyNames),
	},
	{
		Name: "LIVEKIT_SECRET", Group: GroupKeys, Form: FormSecret, Secret: true,
		Meaning: "the secret of the API key: 32 characters or more; with a shorter secret the service starts with a warning",
		how:     shownAs(func(c *Config) string { return showSecrets(c.Keys) }),
	},
	{
		Name: "LIVEKIT_KEY_FROM_FILE", Group: GroupKeys, Form: FormPath,
		Meaning: "a file that holds the name of the API key; used instead of `LIVEKIT_KEY`",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_SECRET_FROM_FILE", Group: GroupKeys, Form: FormPath,
		Meaning: "a file that holds the secret; used instead of `LIVEKIT_SECRET`",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_KEY_FILE", Group: GroupKeys, Form: FormPath,
		Meaning: "a file with one line for each key, written as `key: secret`; LiveKit may read the same file; the service signs tokens with the first pair, and verifies webhooks with all pairs; used instead of the other four variables of the API key",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_FULL_ACCESS_HOMESERVERS", Group: GroupAccess, Form: FormServers,
		Meaning: "required: the server names whose users may create rooms and delegate leaves; `*` alone for all servers",
		how:     field(func(c *Config) *ServerList { return &c.FullAccess }, (*judge).fullAccess, ServerList.String),
	},
	{
		Name: "LIVEKIT_LOCAL_HOMESERVERS", Group: GroupAccess, Form: FormServers,
		Meaning: "old name of `LIVEKIT_FULL_ACCESS_HOMESERVERS`",
	},
	{
		Name: "LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS", Group: GroupAccess, Form: FormServers, Default: "*",
		Meaning: "the server names whose users may send media in rooms that exist, although they have no full access; name only your own server to let no other users send",
		how:     field(func(c *Config) *ServerList { return &c.RemoteCanPublish }, (*judge).servers, ServerList.String),
	},
	{
		Name: "LIVEKIT_CAN_UPDATE_OWN_METADATA", Group: GroupAccess, Form: FormSwitch, Default: "false",
		Meaning: "whether participants may change their own metadata on LiveKit (`true` or `false`)",
		how:     field(func(c *Config) *bool { return &c.CanUpdateOwnMetadata }, (*judge).ownMetadata, strconv.FormatBool),
	},
	{
		Name: "LIVEKIT_TOKEN_TTL", Group: GroupAccess, Form: FormDuration, Default: "1h",
		Meaning: "how long a client can join LiveKit with a token, `1m` to `24h`",
		how:     field(func(c *Config) *time.Duration { return &c.TokenTTL }, (*judge).tokenTTL, short),
	},
	{
		Name: "LIVEKIT_OPENID_TIMEOUT", Group: GroupHomeservers, Form: FormDuration, Default: "10s",
		Meaning: "the longest time for the verification of one OpenID token, including the search for the homeserver, `1s` to `20s`",
		how:     field(func(c *Config) *time.Duration { return &c.OpenIDTimeout }, (*judge).openIDTimeout, short),
	},
	{
		Name: "LIVEKIT_FEDERATION_URL_OVERRIDES", Group: GroupHomeservers, Form: FormServerAt,
		Meaning: "where to reach the federation API of a server: `example.org=http://synapse:8008`, several separated by comma",
		how:     field(func(c *Config) *map[matrix.ServerName]*url.URL { return &c.FederationURLs }, (*judge).overrides, showOverrides),
	},
	{
		Name: "LIVEKIT_CS_API_URL_OVERRIDES", Group: GroupHomeservers, Form: FormServerAt,
		Meaning: "where to reach the Client-Server API of a server: `example.org=https://matrix.example.org`, several separated by comma",
		how:     field(func(c *Config) *map[matrix.ServerName]*url.URL { return &c.ClientURLs }, (*judge).overrides, showOverrides),
	},
	{
		Name: "LIVEKIT_ALLOWED_NETWORKS", Group: GroupHomeservers, Form: FormNetworks,
		Meaning: "private networks (like `10.0.0.0/8`) or addresses at which the service may connect to any homeserver; not needed for homeservers that you name in other variables",
		how:     field(func(c *Config) *[]netip.Prefix { return &c.AllowedNetworks }, (*judge).networks, showNetworks),
	},
	{
		Name: "LIVEKIT_CA_FILE", Group: GroupHomeservers, Form: FormPath,
		Meaning: "a PEM file of CA certificates that the service trusts for homeservers, LiveKit and Redis, besides those of the system",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.RootCAs = j.rootCAs(v, j.input.SystemRoots) },
			show:  aFile.show,
		},
	},
	{
		Name: "LIVEKIT_INSECURE_SKIP_VERIFY_TLS", Group: GroupHomeservers, Form: FormConsent,
		Meaning: "with the value `YES_I_KNOW_WHAT_I_AM_DOING` the service accepts any certificate of any homeserver",
		how:     field(func(c *Config) *bool { return &c.InsecureSkipVerifyTLS }, (*judge).skipVerifyTLS, showConsent),
	},
	{
		Name: "LIVEKIT_JWT_BIND", Group: GroupService, Form: FormBind, Default: ":8080",
		Meaning: "the address at which the service listens: `:8080`, `host:port`, `[::1]:8080` or `unix:/path`",
		how:     field(func(c *Config) *Bind { return &c.Listen }, (*judge).listen, Bind.String),
	},
	{
		Name: "LIVEKIT_JWT_PORT", Group: GroupService, Form: FormPort,
		Meaning: "the port at which the service listens, as a number; used instead of `LIVEKIT_JWT_BIND`",
	},
	{
		Name: "LK_JWT_PORT", Group: GroupService, Form: FormPort,
		Meaning: "old name of `LIVEKIT_JWT_PORT`",
	},
	{
		Name: "LIVEKIT_METRICS_BIND", Group: GroupService, Form: FormBind,
		Meaning: "the address at which the service serves Prometheus metrics, written like `LIVEKIT_JWT_BIND`; when unset, the service serves no metrics; let nobody on the internet reach this address",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.Metrics = j.metrics(v, c.Listen) },
			show:  func(c *Config, _ string) string { return c.Metrics.String() },
		},
	},
	{
		Name: "LIVEKIT_TRUSTED_PROXIES", Group: GroupService, Form: FormProxies, Default: "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,::1/128,fc00::/7,fe80::/10",
		Meaning: "networks or addresses of your reverse proxies; the service takes a client's address from a header only if the request comes from one of them; the value `none` means no proxy",
		how:     field(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }, (*judge).trustedProxies, showProxies),
	},
	{
		Name: "LIVEKIT_CLIENT_ADDRESS", Group: GroupService, Form: FormHeader, Default: "x-forwarded-for",
		Meaning: "the header in which a trusted proxy writes the client's address: `x-forwarded-for` (and X-Real-IP, if X-Forwarded-For has only addresses of proxies), `x-real-ip`, or another header with an address, like `cf-connecting-ip`; the proxy must overwrite what a client sends in this header",
		how:     field(func(c *Config) *string { return &c.ClientAddress }, (*judge).clientAddress, asItIs),
	},
	{
		Name: "LIVEKIT_RATE_LIMIT", Group: GroupService, Form: FormLimit, Default: "60/min,burst=30",
		Meaning: "how many requests one user may send: `N/min`, or `N/min,burst=M` for M at once (M is 30 when left out); the value `off` switches all rate limits off",
		how:     field(func(c *Config) *RateLimit { return &c.RateLimit }, (*judge).rateLimit, RateLimit.String),
	},
	{
		Name: "LIVEKIT_SHUTDOWN_DELAY", Group: GroupService, Form: FormDuration, Default: "0s",
		Meaning: "how long the service goes on after the signal to stop, `0s` to `5m`; in that time it serves requests, and `/healthz` answers 503, so that a load balancer can notice",
		how:     field(func(c *Config) *time.Duration { return &c.ShutdownDelay }, (*judge).shutdownDelay, short),
	},
	{
		Name: "LIVEKIT_TEST_PAGE", Group: GroupService, Form: FormSwitch, Default: "on",
		Meaning: "whether the service serves the page of the connection test at `/test` (`on` or `off`); the command `matrixrtc-auth test-link` makes links to the page",
		how:     field(func(c *Config) *bool { return &c.TestPage }, (*judge).testPage, showSwitch),
	},
	{
		Name: "LIVEKIT_LOG_LEVEL", Group: GroupService, Form: FormLevel, Default: "info",
		Meaning: "the lowest level of the lines that the service logs: `debug`, `info`, `warn` or `error`",
		how:     field(func(c *Config) *slog.Level { return &c.LogLevel }, (*judge).logLevel, showLevel),
	},
	{
		Name: "LIVEKIT_LOG_FORMAT", Group: GroupService, Form: FormLog, Default: "text",
		Meaning: "the form of the log's lines: `text` or `json`",
		how:     field(func(c *Config) *bool { return &c.LogJSON }, (*judge).logJSON, showFormat),
	},
	{
		Name: "LIVEKIT_DELEGATION", Group: GroupLeaves, Form: FormSwitch, Default: "on",
		Meaning: "whether the service takes over clients' leaves, and sends them when the clients are gone (`on` or `off`)",
		how:     field(func(c *Config) *bool { return &c.Delegation }, (*judge).delegation, showSwitch),
	},
	{
		Name: "LIVEKIT_STORE", Group: GroupLeaves, Form: FormStore,
		Meaning: "where the service keeps delegated leaves: `memory`, `file:/path` or `redis`; when unset, `redis` if `LIVEKIT_REDIS_URL` is set, else `file:/data/leaves.db` if `/data` is a volume that can be written, else `memory`",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.Store = j.store(v, c.Delegation) },
			show:  func(c *Config, _ string) string { return c.Store.String() },
		},
	},
	{
		Name: "LIVEKIT_REDIS_URL", Group: GroupLeaves, Form: FormRedis,
		Meaning: "the Redis that several replicas share: `redis://host:6379/0`, `rediss://` for TLS, `unix:///path`, `redis://host:6379?cluster=true&addr=host2:6379` for a cluster, `redis://host:26379/0?master_name=mymaster&addr=host2:26379` for Sentinels",
		how:     shownAs(func(c *Config) string { return c.Store.RedisURL.String() }),
	},
	{
		Name: "LIVEKIT_REDIS_PASSWORD", Group: GroupLeaves, Form: FormSecret, Secret: true,
		Meaning: "Redis' password; used instead of the one in `LIVEKIT_REDIS_URL` (with `master_name`, the URL has the Sentinels' password)",
		how:     shownAs(func(c *Config) string { return c.Store.RedisPassword.String() }),
	},
	{
		Name: "LIVEKIT_REDIS_PASSWORD_FROM_FILE", Group: GroupLeaves, Form: FormPath,
		Meaning: "a file that holds Redis' password; used instead of `LIVEKIT_REDIS_PASSWORD`",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_REDIS_PREFIX", Group: GroupLeaves, Form: FormPrefix, Default: "matrixrtc-auth",
		Meaning: "the beginning of the names of all keys in Redis; services that share a Redis need different ones",
		how:     shownAs(func(c *Config) string { return c.Store.RedisPrefix }),
	},
	{
		Name: "LIVEKIT_MAX_JOBS", Group: GroupLeaves, Form: FormCount, Default: "200000",
		Meaning: "how many delegated leaves the service keeps at most, 1 to 1000000; a homeserver that you named in no variable has at most a quarter of them",
		how:     field(func(c *Config) *int { return &c.MaxJobs }, (*judge).maxJobs, strconv.Itoa),
	},
	{
		Name: "LIVEKIT_MAX_JOBS_PER_USER", Group: GroupLeaves, Form: FormCount, Default: "100",
		Meaning: "how many delegated leaves one user may have, 1 to 1000000",
		how:     field(func(c *Config) *int { return &c.MaxJobsPerUser }, (*judge).maxJobs, strconv.Itoa),
	},
	{
		Name: "LIVEKIT_RECONNECT_GRACE", Group: GroupLeaves, Form: FormDuration, Default: "1s",
		Meaning: "how long the service waits until it sends the leave of a participant whose connection broke, `0s` to `1m`",
		how:     field(func(c *Config) *time.Duration { return &c.ReconnectGrace }, (*judge).reconnectGrace, short),
	},
	{
		Name: "LIVEKIT_DELAYED_EVENT_RATE", Group: GroupLeaves, Form: FormRate, Default: "10/s",
		Meaning: "how many requests about delegated leaves the service sends to one homeserver in a second, 0.1 to 10000; the value `off` means no bound; Synapse's `rc_delayed_event_mgmt` must allow as many requests",
		how:     field(func(c *Config) *float64 { return &c.DelayedEventRate }, (*judge).delayedEventRate, showRate),
	},
	{
		Name: "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", Group: GroupLeaves, Form: FormSeconds, Default: "60",
		Meaning: "the seconds after which the service again asks LiveKit who is in its rooms, in case a webhook was lost; 0 and values over 600 mean every 10 minutes",
		how:     field(func(c *Config) *time.Duration { return &c.SanityCheckInterval }, (*judge).sanityCheckInterval, showSeconds),
	},
	{
		Name: "LIVEKIT_AS_TOKEN", Group: GroupAppService, Form: FormSecret, Secret: true,
		Meaning: "the `as_token` of the registration: with it this service proves itself to the homeserver",
		how: how{
			parse: func(j *judge, _ value, c *Config) { c.AppService = j.appService() },
			show:  func(c *Config, _ string) string { return c.appService().ASToken.String() },
		},
	},
	{
		Name: "LIVEKIT_HS_TOKEN", Group: GroupAppService, Form: FormSecret, Secret: true,
		Meaning: "the `hs_token` of the registration: with it the homeserver proves itself to this service",
		how:     shownAs(func(c *Config) string { return c.appService().HSToken.String() }),
	},
	{
		Name: "LIVEKIT_AS_REGISTRATION_FILE", Group: GroupAppService, Form: FormPath,
		Meaning: "the application service's registration file (YAML), instead of `LIVEKIT_AS_TOKEN` and `LIVEKIT_HS_TOKEN`",
		how:     aFile,
	},
	{
		Name: "LIVEKIT_HS_SERVER_NAME", Group: GroupAppService, Form: FormServer,
		Meaning: "the server name of the homeserver that says who is joined to a room: the homeserver with the registration, or the homeserver of the account in `LIVEKIT_MEMBERSHIP_TOKEN_FILE`",
		how:     shownAs(func(c *Config) string { return c.HomeServer().String() }),
	},
	{
		Name: "LIVEKIT_REQUIRE_MEMBERSHIP", Group: GroupMembership, Form: FormWho, Default: "off",
		Meaning: "who must be joined to the Matrix room to get an access token for LiveKit: `off` for nobody, `local` for the users of `LIVEKIT_HS_SERVER_NAME`, `on` for all users; users who ask through the homeserver must always be joined",
		how: field(func(c *Config) *Requirement { return &c.RequireMembership }, (*judge).requirement,
			func(r Requirement) string { return string(r) }),
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_TOKEN_FILE", Group: GroupMembership, Form: FormPath,
		Meaning: "a file that holds the access token of an ordinary account on `LIVEKIT_HS_SERVER_NAME`; with it the service asks who is joined to the rooms that the account is in; for homeservers that do not support this service as an application service",
		how: how{
			parse: func(j *judge, v value, c *Config) { c.Account = j.account(v) },
			show:  aFile.show,
		},
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_UNKNOWN", Group: GroupMembership, Form: FormUnseen, Default: deny,
		Meaning: "what happens to users who must be joined, in a room that the account in `LIVEKIT_MEMBERSHIP_TOKEN_FILE` is not in: they get no token (`deny`) or a token (`allow`)",
		how:     field(func(c *Config) *bool { return &c.AllowUnseen }, (*judge).allowUnseen, showUnseen),
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS", Group: GroupMembership, Form: FormSeconds, Default: "30",
		Meaning: "the seconds after which the service again checks whether everybody on LiveKit is still in the Matrix room; 0 means no checks",
		how:     field(func(c *Config) *time.Duration { return &c.MembershipInterval }, (*judge).sanityCheckInterval, showSeconds),
	},
	{
		Name: "LIVEKIT_MEMBERSHIP_BRAKE", Group: GroupMembership, Form: FormSwitch, Default: "on",
		Meaning: "whether the service removes nobody from LiveKit when more than 20 people, and more than a third of all people in calls, are suddenly not in their Matrix rooms (`on` or `off`)",
		how:     field(func(c *Config) *bool { return &c.MembershipBrake }, (*judge).delegation, showSwitch),
	},
}
