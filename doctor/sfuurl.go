package doctor

import (
	"context"
	"net/http"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
)

// sfuURLs judges LIVEKIT_URL, LIVEKIT_URL_ALIASES and LIVEKIT_INTERNAL_URL. It
// returns a fault if clients or the service cannot use an address: the service of
// Element that no longer serves other homeservers ([config.FormerServiceHost]), a
// private address, ws://, or an added path like /rtc. Any other finding is a
// warning. The service itself starts with all these addresses, and only logs
// warnings.
func (e settings) sfuURLs(ctx context.Context) engine.Finding {
	c, w := e.look.Config, e.warningsFor("config.sfu_url")
	if w.has(config.AddedPath) && e.isPrefix(ctx, w) {
		w = w.without(config.AddedPath)
	}
	v := engine.Vars{"sfu": c.LivekitURL}
	switch {
	case w.has(config.FormerService):
		return found("former-service", nil, "LIVEKIT_URL leads to %s", config.FormerServiceHost)
	case w.has(config.InsideOnly):
		return found("sfu-url-inside", v, "%s", w)
	case w.has(config.ClearText):
		return found("sfu-url-clear", v, "%s", w)
	case w.has(config.AddedPath):
		return found("sfu-url-path", v, "%s", w)
	case w.has(config.OwnNetwork):
		return found("sfu-url-network", v, "%s", w)
	case len(w) > 0:
		return found("sfu-url-doubtful", nil, "%s", w)
	case c.LivekitURL == "", e.look.refuses("LIVEKIT_URL"), e.look.refuses("LIVEKIT_INTERNAL_URL"):
		return na("there is no LIVEKIT_URL that can be used; config.environment says why")
	}
	return ok("clients get %s, this service calls %s", c.LivekitURL, c.APIURL)
}

// isPrefix is for URLs about which w warns that they end in one of LiveKit's own
// paths. It reports whether LiveKit answers at each of these URLs. If so, a proxy
// removes the path, and the URLs are right.
func (e settings) isPrefix(ctx context.Context, w warnings) bool {
	c := e.look.Config
	for _, warning := range w {
		if warning.Kind != config.AddedPath {
			continue
		}
		base := c.APIURL.String()
		if warning.Variable == "LIVEKIT_URL" {
			base = httpForm(c.LivekitURL)
		}
		if !e.isLiveKit(ctx, base) {
			return false
		}
	}
	return true
}

// judgeSFU returns a finding if clients cannot use LiveKit's URL. It is only for
// runs with --outside. In other runs, the check config.sfu_url judges the URL.
func (e *exam) judgeSFU() engine.Finding {
	if !e.o.Outside {
		return engine.Finding{}
	}
	v := engine.Vars{"sfu": e.sfuAt}
	switch kind, why := config.ForClients(e.sfuURL()); kind {
	case config.InsideOnly:
		return found("sfu-url-inside", v, "clients get %s, and %s", clip(e.sfuAt), why)
	case config.ClearText:
		return found("sfu-url-clear", v, "clients get %s, and %s", clip(e.sfuAt), why)
	}
	return engine.Finding{}
}

// isLiveKit reports whether LiveKit answers at the root path below base, an
// http or https URL.
func (e *exam) isLiveKit(ctx context.Context, base string) bool {
	root, err := e.look.Get(ctx, strings.TrimRight(base, "/")+"/")
	return err == nil && root.Status == http.StatusOK && strings.TrimSpace(string(root.Body)) == "OK"
}

// publicSFU returns LiveKit's public URL with the scheme http or https.
func (e *exam) publicSFU() string { return httpForm(e.sfuURL().String()) }

// httpForm returns a URL of LiveKit with the scheme http or https, without a
// slash at the end.
func httpForm(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	switch strings.ToLower(scheme) {
	case "wss":
		scheme = "https"
	case "ws":
		scheme = "http"
	}
	return scheme + "://" + strings.TrimRight(rest, "/")
}
