package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"matrixrtc-auth/config"
)

// public looks at this service as clients reach it. It returns the check that
// all others of the service's answers need.
func (e *exam) public(foci []*Check) (healthz *Check) {
	if e.o.PublicURL != nil {
		e.service, foci = e.o.PublicURL, nil
	}
	on := func(id string, run func(context.Context) Finding, needs ...*Check) *Check {
		return e.add(&Check{ID: "public." + id, Needs: needs, Run: run})
	}
	addresses := on("addresses", func(ctx context.Context) Finding {
		if e.service == nil {
			return na("nobody says where this service is: --public-url does")
		}
		return e.reach(ctx, placeOf("service", e.service))
	})
	addresses.Any = foci
	certificate := on("tls", func(ctx context.Context) Finding { return e.certificate(ctx, placeOf("service", e.service)) }, addresses)
	healthz = on("healthz", e.healthz, certificate)
	on("routes", e.routes, healthz)
	on("preflight", e.preflight, healthz)
	on("cors", e.cors, healthz)
	return healthz
}

// serviceURL is the address below which this service is.
func (e *exam) serviceURL() string { return strings.TrimRight(e.service.String(), "/") }

func (e *exam) serviceVars() vars {
	return vars{"url": e.serviceURL(), "host": e.service.Hostname(), "command": "curl -i " + e.serviceURL() + "/healthz"}
}

// healthz looks whether it is this service that answers.
func (e *exam) healthz(ctx context.Context) Finding {
	r, err := e.look.get(ctx, e.serviceURL()+"/healthz")
	v := e.serviceVars()
	switch {
	case err != nil && e.isAlone():
		return e.alone("GET " + e.serviceURL() + "/healthz: " + reason(err))
	case err != nil:
		return found("service-broken", v, "GET %s/healthz: %s", e.serviceURL(), reason(err))
	case r.isHealth():
		return ok("GET %s/healthz: %s", e.serviceURL(), r)
	case r.isGatewayError() && e.isAlone():
		return e.alone("GET " + e.serviceURL() + "/healthz: " + r.String())
	case r.status == http.StatusServiceUnavailable && r.isMatrix():
		return found("service-ending", v, "GET %s/healthz: %s", e.serviceURL(), r)
	case r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed || r.status == http.StatusOK:
		return e.notThere(ctx, r)
	}
	return found("service-proxy", v, "GET %s/healthz: %s", e.serviceURL(), r)
}

// isAlone reports whether the service listens on the loopback address of its
// container. That is right where the container shares a network; then what is
// outside reaches it.
func (e *exam) isAlone() bool {
	return slices.ContainsFunc(e.look.Warnings, func(w config.Warning) bool {
		return w.Kind == config.ContainerAlone && w.Variable == "LIVEKIT_JWT_BIND"
	})
}

func (e *exam) alone(seen string) Finding {
	return found("listen-alone", vars{"address": e.look.Config.Listen.String()}, "%s; LIVEKIT_JWT_BIND is %s, in a container", seen, e.look.Config.Listen)
}

// notThere says why there is no /healthz: whether another program answers, or
// which side has the prefix wrong.
func (e *exam) notThere(ctx context.Context, r reply) Finding {
	v := e.serviceVars()
	seen := "GET " + e.serviceURL() + "/healthz: " + r.String()
	root, err := e.look.get(ctx, e.serviceURL()+"/")
	switch {
	case err == nil && root.status == http.StatusOK && strings.TrimSpace(string(root.body)) == "OK":
		return found("service-is-sfu", v, "%s; GET / answers OK, as LiveKit does", seen)
	case e.prefix() != "" && r.isMatrix():
		return found("prefix-not-stripped", v, "%s: the service itself does not know the path %s", seen, e.prefix())
	case e.prefix() != "" && e.answersAt(ctx, e.service.Scheme+"://"+e.service.Host):
		return found("prefix-too-much", v, "%s, but without the prefix %s it answers", seen, e.prefix())
	case e.prefix() == "" && e.answersAt(ctx, e.serviceURL()+commonPrefix):
		v["other"] = e.serviceURL() + commonPrefix
		return found("prefix-missing", v, "%s, but with the prefix %s it answers", seen, commonPrefix)
	}
	if r.status == http.StatusOK {
		seen += ", but not this service's"
	}
	return found("service-no-route", v, "%s", seen)
}

// commonPrefix is the one of deployment guides.
const commonPrefix = "/livekit/jwt"

// prefix is the path below which this service is, "" for none.
func (e *exam) prefix() string { return strings.TrimRight(e.service.Path, "/") }

func (e *exam) answersAt(ctx context.Context, base string) bool {
	r, err := e.look.get(ctx, base+"/healthz")
	return err == nil && r.isHealth()
}

// routes asks for the endpoints by the wrong method: they are there if that is
// what is said to be wrong.
func (e *exam) routes(ctx context.Context) Finding {
	paths := []string{"/sfu/get", "/get_token", "//sfu/get"}
	if e.prefix() != "" {
		paths = append(paths, "")
	}
	for _, path := range paths {
		r, err := e.look.get(ctx, e.serviceURL()+path)
		v := e.serviceVars()
		v["route"] = path
		switch {
		case err != nil:
			return found("service-broken", v, "GET %s: %s", e.serviceURL()+path, reason(err))
		case r.status == http.StatusMethodNotAllowed:
		case path == "" && r.status == http.StatusNotFound:
			return found("bare-prefix", v, "GET %s: %s", e.serviceURL(), r)
		case path == "" || path == "//sfu/get" && r.status/100 == 3:
			continue // a redirect to the same with one slash
		case path == "//sfu/get":
			return found("double-slash", v, "GET %s: %s", e.serviceURL()+path, r)
		default:
			return found("route-not-passed", v, "GET %s: %s", e.serviceURL()+path, r)
		}
	}
	return ok("/sfu/get and /get_token are there, //sfu/get too")
}

// preflight asks what a browser asks before it posts JSON.
func (e *exam) preflight(ctx context.Context) Finding {
	address := e.serviceURL() + "/sfu/get"
	r, err := e.look.ask(ctx, question{method: http.MethodOptions, url: address, header: http.Header{
		"Origin":                         {origin},
		"Access-Control-Request-Method":  {http.MethodPost},
		"Access-Control-Request-Headers": {"content-type"},
	}})
	v := e.serviceVars()
	allowed := strings.ToLower(strings.Join(r.header.Values("Access-Control-Allow-Headers"), ","))
	switch {
	case err != nil:
		return found("service-broken", v, "OPTIONS %s: %s", address, reason(err))
	case r.status/100 != 2:
		return found("preflight-refused", v, "OPTIONS %s: %s", address, r)
	case len(r.origins()) > 0 && !oneOrigin(r):
		return found("cors-doubled", v, "OPTIONS %s: %s with Access-Control-Allow-Origin %q", address, r, r.origins())
	case len(r.origins()) == 0 || !strings.Contains(allowed, "content-type") && allowed != "*":
		return found("preflight-refused", v, "OPTIONS %s: %s without the CORS headers of this service", address, r)
	}
	return ok("OPTIONS %s: %s", address, r)
}

// cors looks at the CORS header of a good answer and of an error.
func (e *exam) cors(ctx context.Context) Finding {
	good, err := e.look.get(ctx, e.serviceURL()+"/healthz")
	if err != nil {
		return found("service-broken", e.serviceVars(), "%s", reason(err))
	}
	bad, err := e.look.ask(ctx, question{method: http.MethodPost, url: e.serviceURL() + "/sfu/get", body: "doctor",
		header: http.Header{"Origin": {origin}, "Content-Type": {"application/json"}}})
	if err != nil {
		return found("service-broken", e.serviceVars(), "%s", reason(err))
	}
	for _, answer := range []reply{good, bad} {
		switch {
		case len(answer.origins()) == 0:
			return found("cors-missing", e.serviceVars(), "%s without Access-Control-Allow-Origin", answer)
		case !oneOrigin(answer):
			return found("cors-doubled", e.serviceVars(), "%s with Access-Control-Allow-Origin %q", answer, answer.origins())
		}
	}
	if bad.status != http.StatusBadRequest {
		return found("post-not-passed", e.serviceVars(), "POST %s/sfu/get without JSON: %s", e.serviceURL(), bad)
	}
	return ok("one header on a good answer and on an error")
}

// health is what /healthz tells.
type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// isHealth reports whether an answer is that of this service's /healthz: many
// sites answer every path with a page.
func (r reply) isHealth() bool {
	var h health
	return r.status == http.StatusOK && json.Unmarshal(r.body, &h) == nil && h.Status != ""
}

// versionOutside compares what answers outside with what runs here.
func (e *exam) versionOutside(ctx context.Context, inside string) Finding {
	r, err := e.look.get(ctx, e.serviceURL()+"/healthz")
	var h health
	if err != nil || json.Unmarshal(r.body, &h) != nil {
		h.Version = "of another program"
	}
	if h.Version != inside {
		v := e.serviceVars()
		return found("version-differs", v, "outside: %s, here: %s", clip(h.Version), clip(inside))
	}
	return ok("%s answers outside and here", clip(inside))
}

// sfuURL is where clients reach LiveKit; nil if it is not known.
func (e *exam) sfuURL() *url.URL {
	u, err := url.Parse(e.sfuAt)
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}
