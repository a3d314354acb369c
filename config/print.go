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

	"matrixrtc-auth/internal/apikey"
	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/matrix"
)

// Print writes the configuration in effect, without secrets: one NAME=value in
// each line, in the order of [Variables]. A value that was set under a
// variable's old name appears under the new name.
func (c Config) Print(w io.Writer) error {
	for _, v := range table {
		if v.how.show == nil {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s=%s\n", v.Name, oneLine(v.how.show(&c, v.Name))); err != nil {
			return err
		}
	}
	return nil
}

// LogValue returns the summary that the program logs when it starts.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("livekit_url", c.LivekitURL),
		slog.String("api_url", address(c.APIURL)),
		slog.String("keys", KeyNames(c.Keys)),
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

// appService returns c.AppService, or an empty one if it is nil.
func (c *Config) appService() *AppService {
	if c.AppService == nil {
		return &AppService{}
	}
	return c.AppService
}

// String returns the limit in the form in which the operator writes it.
func (l RateLimit) String() string {
	if l == (RateLimit{}) {
		return "off"
	}
	return fmt.Sprintf("%d/min,burst=%d", l.PerMinute, l.Burst)
}

// String returns the list in the form in which the operator writes it, or
// "(nobody)" if the list is empty.
func (l ServerList) String() string {
	switch {
	case l.Everyone:
		return "*"
	case len(l.Servers) == 0:
		return "(nobody)"
	}
	return join(l.Servers, matrix.ServerName.String)
}

func asItIs(text string) string { return text }

// KeyNames returns the API keys, without their secrets, as a text for the log.
func KeyNames(keys []apikey.Key) string {
	return join(keys, func(k apikey.Key) string { return showKeyID(k.ID) })
}

// showKeyID returns an API key for printing. Every token contains it, so it is
// no secret. But if it is as long as a secret, showKeyID hides it, because key
// and secret may be swapped.
func showKeyID(id string) string {
	if len(id) < apikey.ShortestSecret {
		return id
	}
	return text.Clip(id, len("long…"))
}

func showSecrets(keys []apikey.Key) string {
	return join(keys, func(k apikey.Key) string { return k.Secret.String() })
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

func showConsent(given bool) string {
	if given {
		return dangerousConsent
	}
	return ""
}

func showProxies(list []netip.Prefix) string {
	if len(list) == 0 {
		return none
	}
	return showNetworks(list)
}

func showLevel(l slog.Level) string { return strings.ToLower(l.String()) }

func showSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

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

// oneLine returns value in quotation marks if it contains line breaks or
// invisible characters.
func oneLine(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}
