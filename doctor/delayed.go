package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/secret"
)

const (
	delayedPath    = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
	stableDelayed  = "/_matrix/client/v1/delayed_events/"
	transportsPath = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports"
	getTokenPath   = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token"
)

// delayedEvents checks whether the homeserver says that it supports delayed
// events (MSC4140). If Synapse does not say so, that is a fault:
// max_event_delay_duration is unset, or is not at the top level of
// homeserver.yaml. With another homeserver it is a warning, because that
// homeserver may have no such setting.
func (h *homeserver) delayedEvents(_ context.Context) engine.Finding {
	for _, flag := range []string{"org.matrix.msc4140", "org.matrix.msc4140.stable"} {
		if h.versions.Unstable[flag] == true {
			return ok("/versions says %s", flag)
		}
	}
	seen := "/versions does not name org.matrix.msc4140"
	if flag, there := h.versions.Unstable["org.matrix.msc4140"]; there {
		seen = fmt.Sprintf("/versions says org.matrix.msc4140: %v", flag)
	}
	v := engine.Vars{"server": h.name.String(), "kind": h.kind.String()}
	if !h.kind.isSynapse() {
		return found("delayed-events-none", v, "%s; the homeserver is %s", seen, h.kind)
	}
	return found("delayed-events-off", v, "%s", seen)
}

func (h *homeserver) delayedURL(id, action string) string {
	path := delayedPath
	if h.versions.Unstable["org.matrix.msc4140.stable"] == true {
		path = stableDelayed
	}
	return h.base + path + url.PathEscape(id) + "/" + action
}

// delayedRoute checks whether this service can manage a delayed leave at the
// address at which it reaches the homeserver.
func (h *homeserver) delayedRoute(ctx context.Context) engine.Finding { return h.manages(ctx) }

// transports checks the homeserver's list of transports (MSC4143), and whether
// every client can get the list. It warns if the homeserver has no such list
// (404). It is a fault if the list is empty, comes from the proxy, or differs
// from the well-known document.
func (h *homeserver) transports(ctx context.Context) engine.Finding {
	v := h.clientVars()
	token := h.tokenFor()
	r, err := h.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: h.base + transportsPath, Bearer: token, Header: http.Header{"Origin": {instruments.Origin}}})
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case isFault(stranger(askedHomeserver, r, v, "")):
		return stranger(askedHomeserver, r, v, "GET "+transportsPath+":")
	case r.Status == http.StatusTooManyRequests:
		return found("homeserver-limits", v, "GET %s: %s", transportsPath, r)
	case r.Status == http.StatusNotFound && !h.kind.isSynapse():
		v["kind"] = h.kind.String()
		return found("transports-none", v, "GET %s: %s; the homeserver is %s; old clients see %s", transportsPath, r, h.kind, h.oldClients())
	case r.Status == http.StatusNotFound:
		return found("transports-off", v, "GET %s: %s; old clients see %s", transportsPath, r, h.oldClients())
	case token.IsEmpty() && r.Status == http.StatusUnauthorized:
		return ok("the endpoint exists; --user and --token-file show its answer; old clients see %s", h.oldClients())
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden && r.ErrCode() != "":
		return found("user-token", v, "GET %s: %s", transportsPath, r)
	case r.Status != http.StatusOK:
		return found("client-api-strange", v, "GET %s: %s", transportsPath, r)
	}
	return h.judgeTransports(ctx, r)
}

func (h *homeserver) tokenFor() (none secret.Text) {
	if h.o.User.Server() != h.name {
		return none
	}
	return h.o.Token
}

func (h *homeserver) judgeTransports(ctx context.Context, r instruments.Reply) engine.Finding {
	v := h.clientVars()
	var answer struct {
		List []focus `json:"rtc_transports"`
	}
	whose := "the answer"
	if h.tokenFor().IsEmpty() {
		whose = "an answer without an access token"
	}
	switch {
	case json.Unmarshal(r.Body, &[]json.RawMessage{}) == nil:
		return found("transports-proxy", v, "GET %s: %s is a list, not an object that holds one", transportsPath, whose)
	case json.Unmarshal(r.Body, &answer) != nil:
		return found("client-api-strange", v, "GET %s: %s", transportsPath, r)
	case !r.OneOrigin():
		return found("transports-proxy", v, "GET %s: %s has Access-Control-Allow-Origin %q", transportsPath, whose, r.Origins())
	}
	if len(answer.List) == 0 {
		return found("transports-empty", v, "GET %s: an empty list", transportsPath)
	}
	seen := "new clients see " + show(answer.List) + "; old clients see " + h.oldClients()
	for _, t := range answer.List {
		if t.URL != "" {
			if f := h.clientRoute(ctx); f.Status != engine.OK {
				return f
			}
		}
	}
	if h.document != nil && h.document.leadsSomewhere() && !sameServices(answer.List, h.document.Foci) {
		return found("transports-differ", v, "%s", seen)
	}
	return ok("%s", seen)
}

// oldClients returns a text for the report. The text says which service old
// clients use. Old clients read only the well-known document.
func (h *homeserver) oldClients() string {
	if h.document == nil {
		return "a document that could not be read from here"
	}
	return show(h.document.Foci)
}

// sameServices reports whether b names every service that a names.
func sameServices(a, b []focus) bool {
	for _, f := range a {
		there := func(other focus) bool { return instruments.SameAddress(f.Service, other.Service) }
		if f.Service != "" && !slices.ContainsFunc(b, there) {
			return false
		}
	}
	return true
}

// clientRoute checks whether the homeserver forwards token requests (MSC4195
// over MSC4512). Clients send such requests to the homeserver if one of the
// transports that the homeserver lists has the key url.
func (h *homeserver) clientRoute(ctx context.Context) engine.Finding {
	r, err := h.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: h.base + getTokenPath, Bearer: h.tokenFor()})
	v := h.clientVars()
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case r.Status == http.StatusMethodNotAllowed || r.Status == http.StatusUnauthorized:
		return ok("GET %s: %s, so it is there", getTokenPath, r)
	}
	return found("transport-url-unserved", v, "a transport has url, but GET %s: %s", getTokenPath, r)
}

// legacyTURN reports the homeserver's TURN settings. Calls over LiveKit do not
// use them, but people often change them to mend such calls.
func (h *homeserver) legacyTURN(ctx context.Context) engine.Finding {
	r, err := h.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: h.base + "/_matrix/client/v3/voip/turnServer", Bearer: h.o.Token})
	var answer struct {
		URIs []string `json:"uris"`
	}
	if err != nil || r.Status != http.StatusOK || json.Unmarshal(r.Body, &answer) != nil || len(answer.URIs) == 0 {
		return na("the homeserver has no TURN server; calls over LiveKit do not use one")
	}
	note := causes.Fill(causes.Of("legacy-turn").Text, nil)
	return ok("%s: %s", clip(answer.URIs[0]), note)
}
