package doctor

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// override returns the URL of the Client-Server API in
// LIVEKIT_CS_API_URL_OVERRIDES. It returns nil if that variable has no URL for
// this homeserver.
func (h *homeserver) override() *url.URL { return h.look.Config.ClientURLs[h.name] }

// clientPlace returns the host and port of the Client-Server API.
func (h *homeserver) clientPlace() place { return clientPlaceOf(h.base) }

func clientPlaceOf(base string) place {
	u, err := url.Parse(base)
	if err != nil { // does not happen: the check homeserver.base_url has parsed the URL
		return place{}
	}
	return placeOf("client-api", u)
}

// clientAddresses connects to the Client-Server API. If that fails in one of
// these two ways, the finding has the cause client-api-unreachable. With this
// cause, doctor still checks the federation API, which may be at another
// address:
//
//   - The operator has set a URL that does not answer.
//   - The public address does not answer requests from the service's own network.
func (h *homeserver) clientAddresses(ctx context.Context) engine.Finding {
	f := h.reach(ctx, h.clientPlace())
	if f.Cause == nil {
		return f
	}
	f.Vars = f.Vars.Or(h.clientVars())
	lost := f.Cause.ID == "hairpin" && f.Blocks
	lost = lost || h.override() != nil && (f.Cause.ID == "client-api-no-address" || f.Cause.ID == "client-api-closed")
	if lost {
		return found("client-api-unreachable", h.clientVars(), "%s", f.Seen).In(f.At...)
	}
	return f
}

// clientPublic checks the address that clients use for the Client-Server API,
// if this service uses another address. A fault at the clients' address does
// not affect this service.
func (h *homeserver) clientPublic(ctx context.Context) engine.Finding {
	if f := h.judgeBaseURL(); f.Status != engine.OK {
		return f
	}
	public := *h
	public.base = strings.TrimRight(h.document.Homeserver.BaseURL, "/")
	f := h.reach(ctx, public.clientPlace())
	switch {
	case f.Cause != nil && f.Cause.ID == "hairpin" && f.Blocks:
		return na("%s; this service uses LIVEKIT_CS_API_URL_OVERRIDES instead, and doctor --outside tests the address of clients", f.Seen)
	case f.Cause != nil && !f.Cause.Spares && f.Cause.ID != "hairpin":
		f.Vars = f.Vars.Or(public.clientVars())
		return f
	}
	if f := h.certificate(ctx, public.clientPlace()); f.Status == engine.Fail {
		return f
	}
	if f := public.manages(ctx); f.Status != engine.OK {
		return f.In(public.clientPlace().at())
	}
	return f
}

// manages sends each kind of request with which this service manages a
// delegated leave. The requests name an event that does not exist. It sends all
// kinds, because the processes of a Synapse with workers differ. Every process
// restarts delayed events, but only the main process sends and cancels them.
func (h *homeserver) manages(ctx context.Context) (f engine.Finding) {
	for _, action := range []string{"restart", "send", "cancel"} {
		if f = h.manageNothing(ctx, action); f.Status != engine.OK {
			break
		}
	}
	return f
}

func (h *homeserver) manageNothing(ctx context.Context, action string) engine.Finding {
	v := h.clientVars()
	r, err := h.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: h.delayedURL(nobodysToken, action), Body: "{}"})
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case isFault(stranger(askedHomeserver, r, v, "")):
		return stranger(askedHomeserver, r, v, action+" of an event that does not exist:")
	case r.Status == http.StatusNotFound && r.ErrCode() == "M_NOT_FOUND":
		return ok("an event that does not exist: %s, as it should be", r)
	case r.Status == http.StatusTooManyRequests:
		return found("delayed-events-limited", v, "%s", r)
	case r.Status == http.StatusUnauthorized:
		return found("delayed-events-token", v, "without a token: %s", r)
	}
	return found("delayed-events-route", v, "%s of an event that does not exist, at %s: %s", action, clip(h.base), r)
}
