package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/token"
)

// user has the checks that enter a call like the client of the user in --user.
// With the user's access token, they get an OpenID token from the homeserver h.
// With the OpenID token, they get an access token from each endpoint of this
// service, and then join LiveKit.
type user struct {
	*exam
	h     *homeserver
	proof json.RawMessage // the user's OpenID token
}

func (e *user) steps() []engine.Step {
	server := e.o.User.Server().String()
	return []engine.Step{
		{ID: "user.token", Needs: "homeserver.versions", Of: server, Run: e.whose},
		{ID: "user.openid", Needs: "user.token", Run: e.openID},
		{ID: "user.sfu_get", Needs: "public.healthz user.openid", Run: func(ctx context.Context) engine.Finding {
			f := e.tokenRequest(ctx, "/sfu/get", e.legacyBody(), &e.way[0])
			if f.Status == engine.OK && e.learnsSFU() {
				e.sfuAt = e.way[0].URL
			}
			return f
		}},
		{ID: "user.get_token", Needs: "public.healthz user.openid", Run: func(ctx context.Context) engine.Finding {
			return e.tokenRequest(ctx, "/get_token", e.memberBody(), &e.way[1])
		}},
		// If sfu.join runs too, it runs before user.join. The later checks judge what
		// LiveKit told the first participant that joined, and that must be one of
		// sfu.join.
		{ID: "user.join", Needs: "user.sfu_get user.get_token", After: "sfu.join", Limit: joinLimit, Run: e.join},
	}
}

// join joins the SFU with the URL and the tokens that the service returned.
func (e *user) join(ctx context.Context) engine.Finding {
	return media{e.exam}.meet(ctx, e.way[0].URL, []string{e.way[0].JWT, e.way[1].JWT})
}

// learnsSFU reports whether doctor must ask the service where LiveKit is, and
// has a user for this request.
func (e *exam) learnsSFU() bool { return e.o.Outside && e.o.SFUURL == "" && e.hasUser() }

// hasUser reports whether --user names a user of a homeserver under test.
func (e *exam) hasUser() bool { return e.serverOfUser() != nil }

// serverOfUser returns the homeserver of --user if it is under test; else nil.
func (e *exam) serverOfUser() *homeserver {
	for _, h := range e.servers {
		if h.name == e.o.User.Server() && !e.o.User.IsZero() {
			return h
		}
	}
	return nil
}

// whose asks the homeserver to which user the access token belongs, before
// other checks use the token.
func (e *user) whose(ctx context.Context) engine.Finding {
	const path = "/_matrix/client/v3/account/whoami"
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: e.h.base + path, Bearer: e.o.Token})
	v := e.h.clientVars()
	v["user"] = e.o.User.String()
	var answer struct {
		ID    string `json:"user_id"`
		Guest bool   `json:"is_guest"`
	}
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case isFault(stranger(askedHomeserver, r, v, "")):
		return stranger(askedHomeserver, r, v, "GET "+path+":")
	case r.Status == http.StatusTooManyRequests:
		return found("homeserver-limits", v, "GET %s: %s", path, r)
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		return found("user-token", v, "GET %s: %s", path, r)
	case r.Status != http.StatusOK || json.Unmarshal(r.Body, &answer) != nil || answer.ID == "":
		return ok("the homeserver does not say whose access token it is: GET %s: %s", path, r)
	case answer.ID != e.o.User.String():
		v["other"] = clip(answer.ID)
		return found("user-other", v, "GET %s: %s", path, v["other"])
	case answer.Guest:
		return found("user-guest", v, "GET %s: %s is a guest", path, e.o.User)
	}
	return ok("the token is an access token of %s", e.o.User)
}

// openID gets an OpenID token of the user from the homeserver.
func (e *user) openID(ctx context.Context) engine.Finding {
	address := e.h.base + "/_matrix/client/v3/user/" + url.PathEscape(e.o.User.String()) + "/openid/request_token"
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: address, Body: "{}", Bearer: e.o.Token})
	v := e.h.clientVars()
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case isFault(stranger(askedHomeserver, r, v, "")):
		return stranger(askedHomeserver, r, v, "asking for an OpenID token:")
	case r.Status == http.StatusTooManyRequests:
		return found("homeserver-limits", v, "asking for an OpenID token: %s", r)
	case r.Status != http.StatusOK && r.ErrCode() != "":
		return found("openid-refused", v, "asking for an OpenID token: %s", r)
	case r.Status != http.StatusOK || !json.Valid(r.Body):
		return found("client-api-strange", v, "asking for an OpenID token: %s", r)
	}
	e.proof = json.RawMessage(r.Body)
	return ok("%s has an OpenID token", e.o.User)
}

// probeDevice is a device id that no user has.
const probeDevice = "DOCTOR"

func (e *user) legacyBody() string {
	return fmt.Sprintf(`{"room":%q,"device_id":%q,"openid_token":%s}`, e.probeRoomID(), probeDevice, e.proof)
}

func (e *user) memberBody() string {
	return fmt.Sprintf(`{"room_id":%q,"slot_id":"m.call#ROOM","openid_token":%s,"member":{"id":"doctor","claimed_user_id":%q,"claimed_device_id":%q}}`,
		e.probeRoomID(), e.proof, e.o.User, probeDevice)
}

// willCall records that the run, at its end, must delete the LiveKit room of
// the user's test call. Without the API key, doctor cannot delete the room.
// Then the SFU closes the room itself, because the service creates rooms that
// end when they are empty.
func (e *exam) willCall() {
	id, err := matrix.ParseRoomID(e.probeRoomID())
	if c := e.look.Config; err == nil && c.APIURL != nil && len(c.Keys) > 0 {
		e.room.willMake(token.RoomName(id, matrix.RoomCall))
	}
}

// probeRoomID returns the id of a Matrix room that does not exist, with a name
// that no other run has.
func (e *exam) probeRoomID() string {
	return "!" + string(e.room.name) + ":" + e.o.User.Server().String()
}

// ticket is the service's answer to a request for a token.
type ticket struct {
	URL string `json:"url"`
	JWT string `json:"jwt"`
}

func (e *user) tokenRequest(ctx context.Context, path, body string, way *ticket) engine.Finding {
	e.willCall() // before the request, because the service may create the room although no answer arrives
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: e.serviceURL() + path, Body: body,
		Header: http.Header{"Origin": {instruments.Origin}, "Content-Type": {"application/json"}}})
	v := e.serviceVars()
	v["server"] = e.o.User.Server().String()
	switch {
	case err != nil:
		return found("service-broken", v, "POST %s: %s", path, reason(err))
	case r.Status == http.StatusTooManyRequests && r.ErrCode() != "":
		return found("homeserver-limits", v, "POST %s: %s", path, r)
	case isFault(stranger(askedService, r, v, "")):
		return stranger(askedService, r, v, "POST "+path+":")
	case r.Status == http.StatusUnauthorized:
		return found("token-unauthorized", v, "POST %s: %s", path, r)
	case r.Status == http.StatusInternalServerError && r.ErrCode() != "":
		return found("token-no-room", v, "POST %s: %s", path, r)
	case r.Status != http.StatusOK || json.Unmarshal(r.Body, way) != nil || way.JWT == "":
		return found("token-refused", v, "POST %s: %s", path, r)
	}
	return e.judgeTicket(path, way)
}

// judgeTicket compares the SFU's URL in the service's answer with the URL that
// doctor checks.
func (e *user) judgeTicket(path string, way *ticket) engine.Finding {
	v := e.serviceVars()
	v["sfu"], v["other"] = e.o.SFUURL, clip(way.URL)
	if _, fault := parseAddress(way.URL, sfuSchemes); fault != "" {
		return found("sfu-url-strange", v, "POST %s: an access token for %q", path, clip(way.URL))
	}
	if e.o.SFUURL != "" && !instruments.SameAddress(way.URL, e.o.SFUURL) {
		return found("sfu-url-differs", v, "POST %s: an access token for %s, but LiveKit is checked at %s", path, clip(way.URL), e.o.SFUURL)
	}
	return ok("POST %s: an access token (%s) for %s", path, secret.New(way.JWT).Hash(), clip(way.URL))
}
