package config

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Print writes the effective configuration, one NAME=value a line in the order
// of [Variables], without secrets. An old name has no line: what it set stands
// under the new one.
func (c Config) Print(w io.Writer) error {
	settings := c.settings()
	for _, v := range Variables() {
		value, ok := settings[v.Name]
		if !ok {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s=%s\n", v.Name, oneLine(value)); err != nil {
			return err
		}
	}
	return nil
}

// LogValue is the summary for the line that the program logs at its start.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("livekit_url", c.LivekitURL),
		slog.String("api_url", address(c.APIURL)),
		slog.String("keys", showKeys(c.Keys)),
		slog.String("full_access", c.FullAccess.String()),
		slog.String("remote_can_publish", c.RemoteCanPublish.String()),
		slog.String("token_ttl", short(c.TokenTTL)),
		slog.String("listen", c.Listen.String()),
		slog.String("metrics", c.Metrics.String()),
		slog.String("rate_limit", c.RateLimit.String()),
		slog.String("delegation", showSwitch(c.Delegation)),
		slog.String("store", c.Store.String()),
	)
}

func (c Config) settings() map[string]string {
	as := AppService{}
	if c.AppService != nil {
		as = *c.AppService
	}
	return map[string]string{
		"LIVEKIT_URL":                            c.LivekitURL,
		"LIVEKIT_INTERNAL_URL":                   address(c.APIURL),
		"LIVEKIT_KEY":                            showKeys(c.Keys),
		"LIVEKIT_SECRET":                         showSecrets(c.Keys),
		"LIVEKIT_KEY_FROM_FILE":                  c.files["LIVEKIT_KEY_FROM_FILE"],
		"LIVEKIT_SECRET_FROM_FILE":               c.files["LIVEKIT_SECRET_FROM_FILE"],
		"LIVEKIT_KEY_FILE":                       c.files["LIVEKIT_KEY_FILE"],
		"LIVEKIT_FULL_ACCESS_HOMESERVERS":        c.FullAccess.String(),
		"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS": c.RemoteCanPublish.String(),
		"LIVEKIT_CAN_UPDATE_OWN_METADATA":        strconv.FormatBool(c.CanUpdateOwnMetadata),
		"LIVEKIT_TOKEN_TTL":                      short(c.TokenTTL),
		"LIVEKIT_OPENID_TIMEOUT":                 short(c.OpenIDTimeout),
		"LIVEKIT_FEDERATION_URL_OVERRIDES":       showOverrides(c.FederationURLs),
		"LIVEKIT_CS_API_URL_OVERRIDES":           showOverrides(c.ClientURLs),
		"LIVEKIT_ALLOWED_NETWORKS":               showNetworks(c.AllowedNetworks),
		"LIVEKIT_CA_FILE":                        c.files["LIVEKIT_CA_FILE"],
		"LIVEKIT_INSECURE_SKIP_VERIFY_TLS":       ifTrue(c.InsecureSkipVerifyTLS, dangerousConsent),
		"LIVEKIT_JWT_BIND":                       c.Listen.String(),
		"LIVEKIT_METRICS_BIND":                   c.Metrics.String(),
		"LIVEKIT_TRUSTED_PROXIES":                orNone(showNetworks(c.TrustedProxies)),
		"LIVEKIT_CLIENT_ADDRESS":                 c.ClientAddress,
		"LIVEKIT_RATE_LIMIT":                     c.RateLimit.String(),
		"LIVEKIT_SHUTDOWN_DELAY":                 short(c.ShutdownDelay),
		"LIVEKIT_LOG_LEVEL":                      strings.ToLower(c.LogLevel.String()),
		"LIVEKIT_LOG_FORMAT":                     showFormat(c.LogJSON),
		"LIVEKIT_DELEGATION":                     showSwitch(c.Delegation),
		"LIVEKIT_STORE":                          c.Store.String(),
		"LIVEKIT_REDIS_URL":                      redactURL(c.Store.RedisURL),
		"LIVEKIT_REDIS_PASSWORD":                 c.Store.RedisPassword.String(),
		"LIVEKIT_REDIS_PASSWORD_FROM_FILE":       c.files["LIVEKIT_REDIS_PASSWORD_FROM_FILE"],
		"LIVEKIT_REDIS_PREFIX":                   c.Store.RedisPrefix,
		"LIVEKIT_MAX_JOBS":                       strconv.Itoa(c.MaxJobs),
		"LIVEKIT_MAX_JOBS_PER_USER":              strconv.Itoa(c.MaxJobsPerUser),
		"LIVEKIT_RECONNECT_GRACE":                short(c.ReconnectGrace),
		"LIVEKIT_DELAYED_EVENT_RATE":             showRate(c.DelayedEventRate),
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS":  strconv.Itoa(int(c.SanityCheckInterval / time.Second)),
		"LIVEKIT_AS_TOKEN":                       as.ASToken.String(),
		"LIVEKIT_HS_TOKEN":                       as.HSToken.String(),
		"LIVEKIT_AS_REGISTRATION_FILE":           c.files["LIVEKIT_AS_REGISTRATION_FILE"],
		"LIVEKIT_HS_SERVER_NAME":                 as.Server.String(),
	}
}

// String returns what the variable takes.
func (l RateLimit) String() string {
	if l == (RateLimit{}) {
		return "off"
	}
	return fmt.Sprintf("%d/min,burst=%d", l.PerMinute, l.Burst)
}

// String returns what the variable takes, or "(nobody)".
func (l ServerList) String() string {
	switch {
	case l.Everyone:
		return "*"
	case len(l.Servers) == 0:
		return "(nobody)"
	}
	return join(l.Servers, matrix.ServerName.String)
}

func showKeys(keys []sfu.Key) string {
	return join(keys, func(k sfu.Key) string { return showKeyID(k.ID) })
}

// showKeyID shows an API key: it is public, it stands in every token. Not so
// what is as long as a secret; the two may be swapped.
func showKeyID(id string) string {
	if len(id) < shortestSecret {
		return id
	}
	return strings.ToValidUTF8(id[:4], "") + "…"
}

func showSecrets(keys []sfu.Key) string {
	return join(keys, func(k sfu.Key) string { return k.Secret.String() })
}

func showOverrides(urls map[matrix.ServerName]*url.URL) string {
	servers := slices.SortedFunc(maps.Keys(urls), func(a, b matrix.ServerName) int {
		return strings.Compare(a.String(), b.String())
	})
	return join(servers, func(s matrix.ServerName) string { return s.String() + "=" + address(urls[s]) })
}

func showNetworks(list []netip.Prefix) string { return join(list, netip.Prefix.String) }

func showFormat(json bool) string {
	if json {
		return "json"
	}
	return "text"
}

func showSwitch(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func ifTrue(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func orNone(list string) string {
	if list == "" {
		return none
	}
	return list
}

func address(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

func join[T any](list []T, show func(T) string) string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = show(item)
	}
	return strings.Join(texts, ",")
}

// oneLine quotes what would break the line or hide on it.
func oneLine(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}
