package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// service has the checks of this service. Some check it as clients reach it,
// and some check its process on this machine.
type service struct{ *exam }

// publicSteps are the checks of this service at its public URL.
func (e service) publicSteps() []engine.Step {
	said := e.o.PublicURL != nil
	return []engine.Step{
		{ID: "public.addresses", Any: unless(said, "homeserver.foci"), Run: e.addresses},
		{ID: "public.tls", Needs: "public.addresses", Run: func(ctx context.Context) engine.Finding {
			return e.certificate(ctx, placeOf("service", e.at))
		}},
		{ID: "public.healthz", Needs: "public.tls", Run: e.healthz},
		{ID: "public.routes", Needs: "public.healthz", After: "livekit.file", Run: e.routes},
		{ID: "public.preflight", Needs: "public.healthz", Run: e.preflight},
		{ID: "public.cors", Needs: "public.healthz", Run: e.cors},
		{ID: "public.body", Needs: "public.cors", Run: e.body},
	}
}

func (e service) addresses(ctx context.Context) engine.Finding {
	if e.at == nil {
		return na("the address of this service is unknown; give it with --public-url")
	}
	return e.reach(ctx, placeOf("service", e.at))
}

// serviceURL returns this service's public URL.
func (e *exam) serviceURL() string { return strings.TrimRight(e.at.String(), "/") }

func (e *exam) serviceVars() engine.Vars {
	return engine.Vars{"url": e.serviceURL(), "host": e.at.Hostname(), "command": "curl -i " + e.serviceURL() + "/healthz"}
}

// healthz checks that this service answers at its public URL.
func (e service) healthz(ctx context.Context) engine.Finding {
	r, err := e.look.Get(ctx, e.serviceURL()+"/healthz")
	v := e.serviceVars()
	switch {
	case err != nil && e.isAlone():
		return e.alone("GET " + e.serviceURL() + "/healthz: " + reason(err))
	case isFault(uncertified(askedService, err, v, "")):
		return uncertified(askedService, err, v, "GET "+e.serviceURL()+"/healthz:")
	case err != nil:
		return found("service-broken", v, "GET %s/healthz: %s", e.serviceURL(), reason(err))
	case isHealth(r):
		return steady(askedService, r, v, ok("GET %s/healthz: %s", e.serviceURL(), r))
	case r.Passing() == instruments.NotThere && e.isAlone():
		return e.alone("GET " + e.serviceURL() + "/healthz: " + r.String())
	case r.Status == http.StatusServiceUnavailable && r.ErrCode() != "":
		return found("service-ending", v, "GET %s/healthz: %s", e.serviceURL(), r)
	case r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed || r.Status == http.StatusOK:
		return e.notThere(ctx, r)
	}
	if f := stranger(askedService, r, v, "GET "+e.serviceURL()+"/healthz:"); isFault(f) {
		return f
	}
	if r.Status == http.StatusBadRequest && r.ErrCode() != "" { // an answer with a Matrix error code is this service's own
		return found("service-garbled", v, "GET %s/healthz: %s", e.serviceURL(), r)
	}
	return found("service-proxy", v, "GET %s/healthz: %s", e.serviceURL(), r)
}

// isAlone reports whether the service listens only on the loopback address of
// its container. If the proxy runs in the same network namespace, it reaches
// the service nevertheless.
func (e *exam) isAlone() bool {
	return slices.ContainsFunc(e.look.Warnings, func(w config.Warning) bool {
		return w.Kind == config.ContainerAlone && w.Variable == "LIVEKIT_JWT_BIND"
	})
}

func (e *exam) alone(seen string) engine.Finding {
	return found("listen-alone", engine.Vars{"address": e.look.Config.Listen.String()}, "%s; LIVEKIT_JWT_BIND is %s, in a container", seen, e.look.Config.Listen)
}

// notThere returns the finding that /healthz does not exist at the public URL.
// Either another program answers there, or the path prefix in the URL or in the
// proxy is wrong.
func (e service) notThere(ctx context.Context, r instruments.Reply) engine.Finding {
	v := e.serviceVars()
	seen := "GET " + e.serviceURL() + "/healthz: " + r.String()
	root, err := e.look.Get(ctx, e.serviceURL()+"/")
	switch {
	case err == nil && root.SaysOK():
		return found("service-is-sfu", v, "%s; GET / answers OK, as LiveKit does", seen)
	case e.prefix() != "" && r.From().Party == instruments.Service:
		return found("prefix-not-stripped", v, "%s: the service itself does not know the path %s", seen, e.prefix())
	case e.prefix() != "" && e.answersAt(ctx, e.at.Scheme+"://"+e.at.Host):
		return found("prefix-too-much", v, "%s, but without the prefix %s it answers", seen, e.prefix())
	case e.prefix() == "" && e.answersAt(ctx, e.serviceURL()+commonPrefix):
		v["other"] = e.serviceURL() + commonPrefix
		return found("prefix-missing", v, "%s, but with the prefix %s it answers", seen, commonPrefix)
	}
	if f := stranger(askedService, r, v, "GET "+e.serviceURL()+"/healthz:"); isFault(f) {
		return f
	}
	if r.Status == http.StatusOK {
		seen += ", but not this service's"
	}
	return found("service-no-route", v, "%s", seen)
}

// commonPrefix is the path prefix of this service that guides recommend.
const commonPrefix = "/livekit/jwt"

// prefix returns the path of this service's public URL; "" for none.
func (e service) prefix() string { return strings.TrimRight(e.at.Path, "/") }

func (e service) answersAt(ctx context.Context, base string) bool {
	r, err := e.look.Get(ctx, base+"/healthz")
	return err == nil && isHealth(r)
}

// preflight sends the CORS request that a browser sends before it posts JSON.
func (e service) preflight(ctx context.Context) engine.Finding {
	address := e.serviceURL() + "/sfu/get"
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodOptions, URL: address, Header: http.Header{
		"Origin":                         {instruments.Origin},
		"Access-Control-Request-Method":  {http.MethodPost},
		"Access-Control-Request-Headers": {"content-type"},
	}})
	v := e.serviceVars()
	seen := "OPTIONS " + address + ":"
	allowed := strings.ToLower(strings.Join(r.Header.Values("Access-Control-Allow-Headers"), ","))
	switch {
	case err != nil:
		return found("service-broken", v, "OPTIONS %s: %s", address, reason(err))
	case r.Status/100 != 2:
		if f := stranger(askedService, r, v, seen); isFault(f) && f.Cause.ID != "proxy-refuses" {
			return f
		}
		return found("preflight-refused", v, "%s %s", seen, r)
	case len(r.Origins()) > 0 && !r.OneOrigin():
		return found("cors-doubled", v, "OPTIONS %s: %s with Access-Control-Allow-Origin %q", address, r, r.Origins())
	case len(r.Origins()) == 0 || !strings.Contains(allowed, "content-type") && allowed != "*":
		return found("preflight-refused", v, "OPTIONS %s: %s without the CORS headers of this service", address, r)
	}
	return ok("OPTIONS %s: %s", address, r)
}

// cors checks the CORS headers of a good answer and of an error.
func (e service) cors(ctx context.Context) engine.Finding {
	good, err := e.look.Get(ctx, e.serviceURL()+"/healthz")
	if err != nil {
		return found("service-broken", e.serviceVars(), "%s", reason(err))
	}
	bad, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: e.serviceURL() + "/sfu/get", Body: "doctor",
		Header: http.Header{"Origin": {instruments.Origin}, "Content-Type": {"application/json"}}})
	if err != nil {
		return found("service-broken", e.serviceVars(), "%s", reason(err))
	}
	if f := stranger(askedService, bad, e.serviceVars(), "POST "+e.serviceURL()+"/sfu/get without JSON:"); isFault(f) {
		return f
	}
	for _, answer := range []instruments.Reply{good, bad} {
		switch {
		case len(answer.Origins()) == 0:
			return found("cors-missing", e.serviceVars(), "%s without Access-Control-Allow-Origin", answer)
		case !answer.OneOrigin():
			return found("cors-doubled", e.serviceVars(), "%s with Access-Control-Allow-Origin %q", answer, answer.Origins())
		}
	}
	if bad.Status != http.StatusBadRequest {
		return found("post-not-passed", e.serviceVars(), "POST %s/sfu/get without JSON: %s", e.serviceURL(), bad)
	}
	return ok("a good answer and an error each have one CORS header")
}

// health is the answer to GET /healthz.
type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// isHealth reports whether an answer is this service's answer to /healthz. The
// status 200 alone does not prove that, because many sites answer every path
// with a page.
func isHealth(r instruments.Reply) bool {
	var h health
	return r.Status == http.StatusOK && json.Unmarshal(r.Body, &h) == nil && h.Status != ""
}

// versionOutside compares the versions of two services: the one at the public
// URL, and the one on this machine. It is a fault if they differ.
func (e service) versionOutside(ctx context.Context) engine.Finding {
	inside := e.status.Version
	r, err := e.look.Get(ctx, e.serviceURL()+"/healthz")
	if err != nil || !isHealth(r) { // no fault, because the check public.healthz got a good answer a moment ago
		return na("GET %s/healthz: nothing tells the version now", e.serviceURL())
	}
	var h health
	_ = json.Unmarshal(r.Body, &h)
	if h.Version != inside {
		v := e.serviceVars()
		return found("version-differs", v, "outside: %s, here: %s", clip(h.Version), clip(inside))
	}
	return ok("%s answers at the public address and on this machine", clip(inside))
}

// sfuURL returns LiveKit's public URL; nil if it is unknown.
func (e *exam) sfuURL() *url.URL {
	u, err := url.Parse(e.sfuAt)
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}
