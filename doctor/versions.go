package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// versions is the homeserver's answer to GET /_matrix/client/versions.
type versions struct {
	Versions []string       `json:"versions"`
	Unstable map[string]any `json:"unstable_features"`
}

// askVersions asks the homeserver for its versions. It also finds out whether
// another program answers instead of the Client-Server API.
func (h *homeserver) askVersions(ctx context.Context) engine.Finding {
	v := h.clientVars()
	r, err := h.look.Get(ctx, h.base+"/_matrix/client/versions")
	switch {
	case instruments.IsDNSBroken(err):
		base, _ := url.Parse(h.base)
		v["host"] = clip(base.Hostname())
		return found("dns-broken", v, "%s/_matrix/client/versions: %s", clip(h.base), reason(err))
	case isFault(uncertified(askedHomeserver, err, v, "")):
		return uncertified(askedHomeserver, err, v, clip(h.base)+"/_matrix/client/versions:")
	case err != nil && reason(err) == instruments.NoAnswer: // the server accepted the connection, but did not answer in time
		return found("homeserver-silent", v, "%s/_matrix/client/versions: %s", clip(h.base), reason(err)).In(h.clientPlace().at())
	case err != nil:
		return found("client-api-unreachable", v, "%s/_matrix/client/versions: %s", clip(h.base), reason(err))
	case isFault(stranger(askedHomeserver, r, v, "")):
		return stranger(askedHomeserver, r, v, clip(h.base)+"/_matrix/client/versions:").In(h.clientPlace().at())
	case r.Status == http.StatusTooManyRequests:
		return found("homeserver-limits", v, "%s/_matrix/client/versions: %s", clip(h.base), r)
	case r.Status != http.StatusOK && h.isLiveKit(ctx, h.base):
		return found("livekit-instead", v.Or(engine.Vars{"who": askedHomeserver.name}), "%s/_matrix/client/versions: %s, and GET / answers OK, as LiveKit does", clip(h.base), r)
	case r.Status != http.StatusOK || json.Unmarshal(r.Body, &h.versions) != nil || h.versions.Versions == nil:
		return found("client-api-strange", v, "%s/_matrix/client/versions: %s", clip(h.base), r)
	}
	return steady(askedHomeserver, r, v, ok("%s/_matrix/client/versions answers", clip(h.base)))
}

// clientVars returns values for the placeholders in the texts of findings about the
// homeserver's Client-Server API.
func (h *homeserver) clientVars() engine.Vars {
	v := engine.Vars{"server": h.name.String(), "base": clip(h.base), "leads": "m.homeserver.base_url in .well-known/matrix/client"}
	if h.override() != nil {
		v["leads"] = "LIVEKIT_CS_API_URL_OVERRIDES"
	}
	if u, err := url.Parse(h.base); err == nil {
		v["host"], v["address"] = clip(u.Hostname()), clip(u.Host)
	}
	return v
}
