package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// routes requests each endpoint with a wrong method. An endpoint that exists
// answers that the method is wrong.
func (e service) routes(ctx context.Context) engine.Finding {
	paths := []string{"/sfu/get", "/get_token", "/delegate_delayed_leave", "//sfu/get"}
	if e.getsWebhooks() {
		paths = append(paths, "/sfu_webhook")
	}
	if e.prefix() != "" {
		paths = append(paths, "")
	}
	for _, path := range paths {
		r, err := e.look.Get(ctx, e.serviceURL()+path)
		if err != nil {
			return found("service-broken", e.serviceVars(), "GET %s: %s", e.serviceURL()+path, reason(err))
		}
		if f := e.judgeRoute(path, r); isFault(f) {
			return f
		}
	}
	return ok("%s are there", strings.Join(paths, " "))
}

// judgeRoute returns the finding about one path; the zero Finding if nothing
// is wrong.
func (e service) judgeRoute(path string, r instruments.Reply) engine.Finding {
	v := e.serviceVars()
	v["route"] = path
	seen := "GET " + e.serviceURL() + path + ":"
	other := stranger(askedService, r, v, seen)
	switch {
	case r.Status == http.StatusMethodNotAllowed:
		return engine.Finding{}
	case path == "/delegate_delayed_leave" && r.Status == http.StatusNotFound && r.ErrCode() == "M_UNRECOGNIZED":
		return engine.Finding{} // this service itself answers 404 if delegation is off
	case path == "" && r.Status == http.StatusNotFound:
		return found("bare-prefix", v, "%s %s", seen, r)
	case path == "" || path == "//sfu/get" && r.Status/100 == 3:
		return engine.Finding{} // the paths "" and "//sfu/get" may redirect to a path with a single slash
	case isFault(other):
		return other
	case path == "//sfu/get":
		return found("double-slash", v, "%s %s", seen, r)
	}
	return found("route-not-passed", v, "%s %s", seen, r)
}

// getsWebhooks reports whether LiveKit sends its webhooks to this service's
// public URL.
func (e service) getsWebhooks() bool {
	for _, address := range e.livekit.Webhook.URLs {
		if u, err := url.Parse(address); err == nil && strings.EqualFold(u.Hostname(), e.at.Hostname()) {
			return true
		}
	}
	return false
}

// body sends a client's request with an OpenID token that no homeserver issued.
// This service must refuse the request. The request contains all special
// characters that room ids may have, because a filter in front of the service
// may refuse some of them.
func (e service) body(ctx context.Context) engine.Finding {
	if len(e.o.Servers) == 0 {
		return na("no homeserver is known to ask about; name one with --server-name")
	}
	server := e.o.Servers[0]
	body := fmt.Sprintf(`{"room_id":"!doctor$room:%[1]s","slot_id":"m.call#ROOM","member":{"id":"doctor","claimed_user_id":"@doctor:%[1]s","claimed_device_id":"DOCTOR"},`+
		`"openid_token":{"access_token":%[2]q,"token_type":"Bearer","matrix_server_name":"%[1]s","expires_in":3600}}`, server, nobodysToken)
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: e.serviceURL() + "/get_token", Body: body,
		Header: http.Header{"Origin": {instruments.Origin}, "Content-Type": {"application/json"}}})
	v := e.serviceVars()
	const seen = "POST /get_token with an unknown token:"
	switch {
	case err != nil:
		return found("service-broken", v, "%s %s", seen, reason(err))
	case r.Status == http.StatusUnauthorized && r.ErrCode() == "M_UNAUTHORIZED":
		return ok("%s %s, as it should be", seen, r)
	case r.Status == http.StatusTooManyRequests && r.ErrCode() != "":
		return ok("%s %s, so the request arrives", seen, r)
	case isFault(stranger(askedService, r, v, "")):
		return stranger(askedService, r, v, seen)
	}
	return found("body-changed", v, "%s %s", seen, r)
}
