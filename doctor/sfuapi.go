package doctor

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// doctor warns if an API call takes at least 2 s (slow), because people notice
// such a delay. The service waits 10 s, and many proxies wait 30 s.
const slow = 2 * time.Second

// twirp calls a method of LiveKit's Room API, with a token that is signed with
// this service's key.
func (e *exam) twirp(ctx context.Context, base, method string, grant *auth.VideoGrant, body string) (instruments.Reply, error) {
	bearer, err := apiToken(e.look.Config.Keys[0], grant)
	if err != nil {
		return instruments.Reply{}, err
	}
	return e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: base + "/twirp/livekit.RoomService/" + method, Body: body,
		Bearer: bearer, Header: http.Header{"Content-Type": {"application/json"}}})
}

func apiToken(key sfu.Key, grant *auth.VideoGrant) (secret.Text, error) {
	token, err := auth.NewAccessToken(key.ID, key.Secret.Reveal()).SetValidFor(5 * time.Minute).SetVideoGrant(grant).ToJWT()
	return secret.New(token), err
}

// apiURL returns the URL at which this service calls LiveKit's API.
func (e *exam) apiURL() string { return strings.TrimRight(e.look.Config.APIURL.String(), "/") }

// api checks that LiveKit's Room API answers, and accepts this service's key.
func (e livekit) api(ctx context.Context) engine.Finding {
	c := e.look.Config
	if c.APIURL == nil || len(c.Keys) == 0 {
		return na("the configuration lacks LiveKit's address or the API key")
	}
	start := time.Now()
	r, err := e.twirp(ctx, e.apiURL(), "ListRooms", &auth.VideoGrant{RoomList: true}, `{"names":["doctor"]}`)
	took := time.Since(start).Round(time.Millisecond)
	v := e.apiVars()
	switch {
	case err != nil:
		return apiFailure(v, e.apiURL(), err)
	case r.Status != http.StatusOK:
		return e.judgeAPI(ctx, v, r)
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return found("sfu-not-livekit", v, "ListRooms at %s: 200 of the type %q", e.apiURL(), clip(r.Header.Get("Content-Type")))
	case took >= e.look.Limit(slow):
		return found("sfu-slow", v, "ListRooms at %s took %s", e.apiURL(), took)
	}
	return steady(askedAPI, r, v, ok("ListRooms at %s took %s", e.apiURL(), took))
}

// apiVars returns the values of the placeholders in texts about LiveKit's API.
// The placeholder {instead} stands for another remedy: an address of the API that
// does not lead through a proxy.
func (e *exam) apiVars() engine.Vars {
	api := e.look.Config.APIURL
	v := engine.Vars{"sfu": e.apiURL(), "url": e.apiURL(), "host": api.Hostname(), "key": e.look.Config.Keys[0].ID}
	if strings.Contains(api.Hostname(), ".") {
		v["instead"] = causes.Fill("; or set LIVEKIT_INTERNAL_URL to http://livekit:{sfu_port}, which leads past it", e.livekit.ports())
	}
	return v
}

func apiFailure(v engine.Vars, address string, err error) engine.Finding {
	switch {
	case instruments.IsTLS(err):
		return found("sfu-api-tls", v, "%s: %s", address, reason(err))
	case instruments.IsDNSBroken(err):
		return found("dns-broken", v, "%s: %s", address, reason(err))
	case instruments.IsNoSuchName(err):
		return found("sfu-api-dns", v, "%s: %s", address, reason(err))
	case strings.Contains(reason(err), "in time"):
		return found("sfu-api-timeout", v, "%s: %s", address, reason(err))
	}
	return found("sfu-api-connect", v, "%s: %s", address, reason(err))
}

// judgeAPI returns the cause of an error of LiveKit's API. LiveKit repeats a
// bad token in its answer. So judgeAPI does not show the text, but compares its
// beginning with known texts.
func (e livekit) judgeAPI(ctx context.Context, v engine.Vars, r instruments.Reply) engine.Finding {
	seen := "ListRooms at " + e.apiURL() + ": " + http.StatusText(r.Status)
	text := string(r.Body)
	other := stranger(askedAPI, r, e.apiVars(), "ListRooms at "+e.apiURL()+":")
	switch {
	case isFault(other):
		return other
	case r.Status == http.StatusUnauthorized && strings.HasPrefix(text, "invalid API key"):
		return found("sfu-key", v, "%s, LiveKit does not know the key %s", seen, v["key"])
	case r.Status == http.StatusUnauthorized && isUntimely(text):
		return found("sfu-clock", v, "%s, by LiveKit's clock the token is not valid now", seen)
	case r.Status == http.StatusUnauthorized:
		return found("sfu-secret", v, "%s, the signature is not good", seen)
	case r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed:
		if e.isLiveKit(ctx, e.apiURL()) {
			return found("sfu-twirp", v, "%s, but GET / is LiveKit's", seen)
		}
		return found("sfu-not-livekit", v, "%s", seen)
	case r.Status == http.StatusOK:
		return ok("%s", seen)
	}
	return found("sfu-error", v, "%s", seen)
}

// untimely are parts of the texts with which LiveKit's libraries refuse a token
// because of its times. The libraries are golang-jwt, and formerly go-jose.
var untimely = []string{"token is expired", "not valid yet", "used before issued", "issued in the future"}

func isUntimely(text string) bool {
	return slices.ContainsFunc(untimely, func(words string) bool { return strings.Contains(text, words) })
}

// autoCreate checks whether LiveKit creates a room for a user whose token does
// not allow the user to create rooms.
func (e livekit) autoCreate(ctx context.Context) engine.Finding {
	nowhere := ticketFor(e.look.Config.Keys[0], token.Grant{Room: sfu.Room(instruments.ProbeName()), Identity: "doctor"})
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: e.apiURL() + "/rtc/validate", Bearer: nowhere})
	switch {
	case err != nil:
		return found("sfu-api-connect", engine.Vars{"sfu": e.apiURL()}, "%s", reason(err))
	case isFault(stranger(askedAPI, r, e.apiVars(), "")):
		return stranger(askedAPI, r, e.apiVars(), "GET /rtc/validate:")
	case r.Status == http.StatusNotFound:
		return ok("LiveKit does not let a token that may not create rooms into a room that does not exist")
	case r.Status == http.StatusOK:
		return found("auto-create", nil, "LiveKit lets a token that may not create rooms into a room that does not exist")
	}
	return found("sfu-error", engine.Vars{"sfu": e.apiURL()}, "GET /rtc/validate: %s", http.StatusText(r.Status))
}
