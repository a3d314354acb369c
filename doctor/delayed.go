package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"matrixrtc-auth/internal/secret"
)

const (
	delayedPath    = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
	stableDelayed  = "/_matrix/client/v1/delayed_events/"
	transportsPath = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports"
	getTokenPath   = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token"
)

// delayedEvents looks whether the server says that it delays events (MSC4140).
func (e *exam) delayedEvents(_ context.Context, s *server) Finding {
	for _, flag := range []string{"org.matrix.msc4140", "org.matrix.msc4140.stable"} {
		if s.versions.Unstable[flag] == true {
			return ok("/versions says %s", flag)
		}
	}
	return found("delayed-events-off", vars{"server": s.name.String()}, "/versions says org.matrix.msc4140: %v", s.versions.Unstable["org.matrix.msc4140"])
}

func (s *server) delayedURL(id, action string) string {
	path := delayedPath
	if s.versions.Unstable["org.matrix.msc4140.stable"] == true {
		path = stableDelayed
	}
	return s.base + path + url.PathEscape(id) + "/" + action
}

// delayedRoute asks the server for everything that a leave needs, of an event that
// does not exist. Every process of a Synapse with workers restarts; the main one
// alone sends and cancels.
func (e *exam) delayedRoute(ctx context.Context, s *server) (f Finding) {
	for _, action := range []string{"restart", "send", "cancel"} {
		if f = e.manageNothing(ctx, s, action); f.Status != OK {
			break
		}
	}
	return f
}

func (e *exam) manageNothing(ctx context.Context, s *server, action string) Finding {
	v := vars{"server": s.name.String(), "base": s.base}
	r, err := e.look.ask(ctx, question{method: http.MethodPost, url: s.delayedURL(nobodysToken, action), body: "{}"})
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case r.status == http.StatusNotFound && r.errcode() == "M_NOT_FOUND":
		return ok("an event that does not exist: %s, as it should be", r)
	case r.status == http.StatusTooManyRequests:
		return found("delayed-events-limited", v, "%s", r)
	case r.status == http.StatusUnauthorized:
		return found("delayed-events-token", v, "without a token: %s", r)
	}
	return found("delayed-events-route", v, "%s of an event that does not exist, at %s: %s", action, clip(s.base), r)
}

// transports looks what new clients are told, and who sees what.
func (e *exam) transports(ctx context.Context, s *server) Finding {
	v := vars{"server": s.name.String(), "base": s.base}
	token := e.tokenFor(s)
	r, err := e.look.ask(ctx, question{method: http.MethodGet, url: s.base + transportsPath, bearer: token})
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case r.status == http.StatusNotFound:
		return found("transports-off", v, "GET %s: %s; old clients see %s", transportsPath, r, s.oldClients())
	case token.IsEmpty() && r.status == http.StatusUnauthorized:
		return ok("the endpoint is there; --user and --token-file show what it says; old clients see %s", s.oldClients())
	case r.status == http.StatusUnauthorized:
		return found("user-token", v, "GET %s: %s", transportsPath, r)
	case r.status != http.StatusOK:
		return found("client-api-strange", v, "GET %s: %s", transportsPath, r)
	}
	return e.judgeTransports(ctx, s, r)
}

func (e *exam) tokenFor(s *server) (none secret.Text) {
	if e.o.User.Server() != s.name {
		return none
	}
	return e.o.Token
}

func (e *exam) judgeTransports(ctx context.Context, s *server, r reply) Finding {
	v := vars{"server": s.name.String(), "base": s.base}
	var answer struct {
		List []focus `json:"rtc_transports"`
	}
	if json.Unmarshal(r.body, &answer) != nil {
		return found("client-api-strange", v, "GET %s: %s", transportsPath, r)
	}
	if len(answer.List) == 0 {
		return found("transports-empty", v, "GET %s: an empty list", transportsPath)
	}
	seen := "new clients see " + show(answer.List) + "; old clients see " + s.oldClients()
	for _, t := range answer.List {
		if t.URL != "" {
			if f := e.clientRoute(ctx, s); f.Status != OK {
				return f
			}
		}
	}
	if s.document != nil && s.document.leadsSomewhere() && !sameServices(answer.List, s.document.Foci) {
		return found("transports-differ", v, "%s", seen)
	}
	return ok("%s", seen)
}

// oldClients is where those go who read the well-known document alone.
func (s *server) oldClients() string {
	if s.document == nil {
		return "what could not be read from here"
	}
	return show(s.document.Foci)
}

// sameServices reports whether both lists lead to the same services.
func sameServices(a, b []focus) bool {
	for _, f := range a {
		there := func(other focus) bool { return sameAddress(f.Service, other.Service) }
		if f.Service != "" && !slices.ContainsFunc(b, there) {
			return false
		}
	}
	return true
}

// clientRoute looks whether the homeserver passes requests for tokens on
// (MSC4195 over MSC4512), as a transport with a url promises.
func (e *exam) clientRoute(ctx context.Context, s *server) Finding {
	r, err := e.look.ask(ctx, question{method: http.MethodGet, url: s.base + getTokenPath, bearer: e.tokenFor(s)})
	v := vars{"server": s.name.String(), "base": s.base}
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case r.status == http.StatusMethodNotAllowed || r.status == http.StatusUnauthorized:
		return ok("GET %s: %s, so it is there", getTokenPath, r)
	}
	return found("transport-url-unserved", v, "a transport has url, but GET %s: %s", getTokenPath, r)
}

// legacyTURN tells what people take for the way of media.
func (e *exam) legacyTURN(ctx context.Context, s *server) Finding {
	r, err := e.look.ask(ctx, question{method: http.MethodGet, url: s.base + "/_matrix/client/v3/voip/turnServer", bearer: e.o.Token})
	var answer struct {
		URIs []string `json:"uris"`
	}
	if err != nil || r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil || len(answer.URIs) == 0 {
		return na("the homeserver has no TURN server; calls over LiveKit need none of it")
	}
	note, _ := causeOf("legacy-turn").explain(nil)
	return ok("%s: %s", clip(answer.URIs[0]), note)
}
