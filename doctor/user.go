package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/token"
)

// user goes the way of a user into a call, with their access token: an OpenID
// token of the homeserver, an access token of this service by each of its
// endpoints. It returns the checks that got those.
func (e *exam) user(healthz *Check) (tickets []*Check) {
	s := e.serverOf()
	if s == nil {
		return nil
	}
	needs := []*Check{healthz, e.check("homeserver.versions", s)}
	var proof json.RawMessage
	openid := e.add(&Check{ID: "user.openid", Needs: needs[1:], Run: func(ctx context.Context) Finding { return e.openID(ctx, s, &proof) }})
	get := e.add(&Check{ID: "user.sfu_get", Needs: []*Check{healthz, openid}, Run: func(ctx context.Context) Finding {
		return e.tokenRequest(ctx, "/sfu/get", e.legacyBody(proof), &e.way[0])
	}})
	member := e.add(&Check{ID: "user.get_token", Needs: []*Check{healthz, openid}, Run: func(ctx context.Context) Finding {
		return e.tokenRequest(ctx, "/get_token", e.memberBody(proof), &e.way[1])
	}})
	return []*Check{get, member}
}

// userJoins goes on to the SFU, with what the service handed out.
func (e *exam) userJoins(tickets []*Check, joined *Check) {
	if tickets == nil {
		return
	}
	join := e.add(&Check{ID: "user.join", Needs: tickets, Limit: joinLimit, Run: func(ctx context.Context) Finding {
		return e.meet(ctx, e.way[0].URL, []string{e.way[0].JWT, e.way[1].JWT})
	}})
	if joined != nil {
		join.After = []*Check{joined} // one says what media does, and first
		return
	}
	e.media(join)
	e.check("sfu.tcp_port", nil).After = []*Check{join} // which learns the port
}

// serverOf is the user's homeserver if it is looked at.
func (e *exam) serverOf() *server {
	for _, s := range e.servers {
		if s.name == e.o.User.Server() && !e.o.User.IsZero() {
			return s
		}
	}
	return nil
}

// check returns the one of this id, for s if it is one of a server.
func (e *exam) check(id string, s *server) *Check {
	for _, c := range e.checks {
		if c.ID == id && (s == nil || c.Server == "" || c.Server == s.name.String()) {
			return c
		}
	}
	return nil
}

// openID has the homeserver prove to a third party who the user is.
func (e *exam) openID(ctx context.Context, s *server, proof *json.RawMessage) Finding {
	address := s.base + "/_matrix/client/v3/user/" + url.PathEscape(e.o.User.String()) + "/openid/request_token"
	r, err := e.look.ask(ctx, question{method: http.MethodPost, url: address, body: "{}", bearer: e.o.Token})
	v := vars{"server": s.name.String(), "base": s.base}
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "%s", reason(err))
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return found("user-token", v, "asking for an OpenID token: %s", r)
	case r.status != http.StatusOK || !json.Valid(r.body):
		return found("client-api-strange", v, "asking for an OpenID token: %s", r)
	}
	*proof = r.body
	return ok("%s has an OpenID token", e.o.User)
}

// probeDevice is a device that nobody has.
const probeDevice = "DOCTOR"

func (e *exam) legacyBody(proof json.RawMessage) string {
	return fmt.Sprintf(`{"room":%q,"device_id":%q,"openid_token":%s}`, e.probeRoomID(), probeDevice, proof)
}

func (e *exam) memberBody(proof json.RawMessage) string {
	return fmt.Sprintf(`{"room_id":%q,"slot_id":"m.call#ROOM","openid_token":%s,"member":{"id":"doctor","claimed_user_id":%q,"claimed_device_id":%q}}`,
		e.probeRoomID(), proof, e.o.User, probeDevice)
}

// willCall has the room of the user's probe deleted at the end, where the API
// key is at hand. Elsewhere the SFU closes it by itself: the service makes rooms
// that end when they are empty.
func (e *exam) willCall() {
	id, err := matrix.ParseRoomID(e.probeRoomID())
	if c := e.look.Config; err == nil && c.APIURL != nil && len(c.Keys) > 0 {
		e.room.willMake(token.RoomName(id, matrix.RoomCall))
	}
}

// probeRoomID is a room that nobody has, and no other run asks for.
func (e *exam) probeRoomID() string {
	return "!" + string(e.room.name) + ":" + e.o.User.Server().String()
}

// ticket is what the service hands out.
type ticket struct {
	URL string `json:"url"`
	JWT string `json:"jwt"`
}

func (e *exam) tokenRequest(ctx context.Context, path, body string, way *ticket) Finding {
	e.willCall() // even if the answer never comes
	r, err := e.look.ask(ctx, question{method: http.MethodPost, url: e.serviceURL() + path, body: body,
		header: http.Header{"Origin": {origin}, "Content-Type": {"application/json"}}})
	v := e.serviceVars()
	v["server"] = e.o.User.Server().String()
	switch {
	case err != nil:
		return found("service-broken", v, "POST %s: %s", path, reason(err))
	case r.status == http.StatusUnauthorized:
		return found("token-unauthorized", v, "POST %s: %s", path, r)
	case r.status == http.StatusInternalServerError && r.isMatrix():
		return found("token-no-room", v, "POST %s: %s", path, r)
	case r.status != http.StatusOK || json.Unmarshal(r.body, way) != nil || way.JWT == "":
		return found("token-refused", v, "POST %s: %s", path, r)
	}
	return e.judgeTicket(path, way)
}

// judgeTicket compares the SFU's address in an answer with the one that is
// looked at.
func (e *exam) judgeTicket(path string, way *ticket) Finding {
	v := e.serviceVars()
	v["sfu"], v["other"] = e.o.SFUURL, clip(way.URL)
	if _, fault := parseAddress(way.URL, sfuSchemes); fault != "" {
		return found("sfu-url-strange", v, "POST %s: an access token for %q", path, clip(way.URL))
	}
	if e.o.SFUURL != "" && !sameAddress(way.URL, e.o.SFUURL) {
		return found("sfu-url-differs", v, "POST %s: an access token for %s, looked at is %s", path, clip(way.URL), e.o.SFUURL)
	}
	return ok("POST %s: an access token (%s) for %s", path, secret.New(way.JWT).Hash(), clip(way.URL))
}
