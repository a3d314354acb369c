package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// sfu looks at LiveKit. It returns the checks that have made the probe room and
// joined it; nil where no API key is at hand.
func (e *exam) sfu(status *Check, tickets []*Check) (room, joined *Check) {
	on := func(id string, run func(context.Context) Finding, needs ...*Check) *Check {
		return e.add(&Check{ID: "sfu." + id, Needs: needs, Run: run})
	}
	if !e.o.Outside {
		api := on("api", e.api)
		on("auto_create", e.autoCreate, api)
		room = on("room", e.room.create, api)
		room.After = []*Check{status} // which counts the webhooks before this one
	}
	addresses := on("addresses", e.sfuAddresses, e.learnSFU(tickets))
	if healthz := e.check("public.healthz", nil); e.o.Outside && healthz != nil {
		addresses.After = []*Check{healthz} // by then it is known which service is looked at
	}
	certificate := on("tls", func(ctx context.Context) Finding { return e.certificate(ctx, placeOf("sfu", e.sfuURL())) }, addresses)
	on("websocket", e.websocket, certificate)
	on("bare_prefix", e.barePrefix, certificate)
	hidden := on("api_hidden", e.apiHidden, certificate)
	if file := e.check("livekit.file", nil); file != nil {
		hidden.After = []*Check{file} // of which the remedy has the port
	}
	if e.o.Outside {
		port := e.add(&Check{ID: "sfu.tcp_port", Needs: []*Check{addresses}})
		port.Run = func(ctx context.Context) Finding {
			if len(port.After) > 0 {
				return e.tcpPort(ctx, port.After[0])
			}
			return e.tcpPort(ctx, nil)
		}
		return nil, nil
	}
	joined = e.add(&Check{ID: "sfu.join", Needs: []*Check{room}, Limit: joinLimit, Run: e.join})
	e.media(joined)
	return room, joined
}

// learnSFU has this service say where LiveKit is, if nobody else does: outside
// there is no configuration, and a user's access token comes with the address.
func (e *exam) learnSFU(tickets []*Check) *Check {
	if !e.o.Outside || e.o.SFUURL != "" || tickets == nil || skipped(e.o, tickets[0].ID) {
		return nil
	}
	get := tickets[0]
	ask := get.Run
	get.Run = func(ctx context.Context) Finding {
		f := ask(ctx)
		if f.Status == OK {
			e.sfuAt = e.way[0].URL
		}
		return f
	}
	return get
}

func (e *exam) sfuAddresses(ctx context.Context) Finding {
	switch {
	case e.sfuURL() != nil:
		if f := e.judgeSFU(); f.Cause != nil {
			return f
		}
		return e.reach(ctx, placeOf("sfu", e.sfuURL()))
	case e.o.Outside && e.guessSFU(ctx):
		f := e.reach(ctx, placeOf("sfu", e.sfuURL()))
		f.Seen = fmt.Sprintf("LiveKit answers at %s, beside the service; %s", e.sfuAt, f.Seen)
		return f
	case e.o.Outside:
		return found("sfu-unknown", vars{"command": e.withSFU()}, "nobody says where LiveKit is, and beside the service none answers")
	}
	return na("nobody says where LiveKit is: --sfu-url does")
}

// guessSFU looks for LiveKit where guides have it: at sfu. beside a service at
// jwt., or below /livekit/sfu beside /livekit/jwt. What answers there as LiveKit
// does is taken for it.
func (e *exam) guessSFU(ctx context.Context) bool {
	if e.service == nil {
		return false
	}
	u := *e.service
	if label, domain, dotted := strings.Cut(u.Host, "."); strings.Contains(u.Path, "jwt") {
		u.Path = strings.Replace(u.Path, "jwt", "sfu", 1)
	} else if dotted && strings.Contains(label, "jwt") {
		u.Host = strings.Replace(label, "jwt", "sfu", 1) + "." + domain
	} else {
		return false
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if !e.look.isLiveKit(ctx, u.String()) {
		return false
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	e.sfuAt = u.String()
	return true
}

// withSFU is the command of this run with what it lacks.
func (e *exam) withSFU() string {
	command := "matrixrtc-auth doctor --outside"
	for _, name := range e.o.Servers {
		command += " --server-name " + name.String()
	}
	if e.o.PublicURL != nil {
		command += " --public-url " + e.o.PublicURL.String()
	}
	return command + " --sfu-url wss://…"
}

// slow is the time of an API call from which on clients notice; the service
// gives up after 10 s, and many proxies after 30 s.
const slow = 2 * time.Second

// twirp calls a method of the Room API with our key.
func (e *exam) twirp(ctx context.Context, base, method string, grant *auth.VideoGrant, body string) (reply, error) {
	bearer, err := apiToken(e.look.Config.Keys[0], grant)
	if err != nil {
		return reply{}, err
	}
	return e.look.ask(ctx, question{method: http.MethodPost, url: base + "/twirp/livekit.RoomService/" + method, body: body,
		bearer: bearer, header: http.Header{"Content-Type": {"application/json"}}})
}

func apiToken(key sfu.Key, grant *auth.VideoGrant) (secret.Text, error) {
	token, err := auth.NewAccessToken(key.ID, key.Secret.Reveal()).SetValidFor(5 * time.Minute).SetVideoGrant(grant).ToJWT()
	return secret.New(token), err
}

// apiURL is the SFU's API as this service reaches it.
func (e *exam) apiURL() string { return strings.TrimRight(e.look.Config.APIURL.String(), "/") }

// api asks LiveKit's Room API, with our key.
func (e *exam) api(ctx context.Context) Finding {
	c := e.look.Config
	if c.APIURL == nil || len(c.Keys) == 0 {
		return na("the configuration lacks LiveKit's address or the API key")
	}
	start := time.Now()
	r, err := e.twirp(ctx, e.apiURL(), "ListRooms", &auth.VideoGrant{RoomList: true}, `{"names":["doctor"]}`)
	took := time.Since(start).Round(time.Millisecond)
	v := vars{"sfu": e.apiURL(), "host": c.APIURL.Hostname(), "key": c.Keys[0].ID, "url": e.apiURL()}
	switch {
	case err != nil:
		return apiFailure(v, e.apiURL(), err)
	case r.status != http.StatusOK:
		return e.judgeAPI(ctx, v, r)
	case !strings.HasPrefix(r.header.Get("Content-Type"), "application/json"):
		return found("sfu-not-livekit", v, "ListRooms at %s: 200 of the type %q", e.apiURL(), clip(r.header.Get("Content-Type")))
	case took >= slow:
		return found("sfu-slow", v, "ListRooms at %s took %s", e.apiURL(), took)
	}
	return ok("ListRooms at %s took %s", e.apiURL(), took)
}

func apiFailure(v vars, address string, err error) Finding {
	switch {
	case isTLS(err):
		return found("sfu-api-tls", v, "%s: %s", address, reason(err))
	case isDNSBroken(err):
		return found("dns-broken", v, "%s: %s", address, reason(err))
	case isNoSuchName(err):
		return found("sfu-api-dns", v, "%s: %s", address, reason(err))
	case strings.Contains(reason(err), "in time"):
		return found("sfu-api-timeout", v, "%s: %s", address, reason(err))
	}
	return found("sfu-api-connect", v, "%s: %s", address, reason(err))
}

// judgeAPI names the cause of an error of the API. LiveKit answers a bad token
// with the token, so of the text only the known beginnings are looked at.
func (e *exam) judgeAPI(ctx context.Context, v vars, r reply) Finding {
	seen := "ListRooms at " + e.apiURL() + ": " + http.StatusText(r.status)
	text := string(r.body)
	switch {
	case r.status == http.StatusUnauthorized && strings.HasPrefix(text, "invalid API key"):
		return found("sfu-key", v, "%s, LiveKit does not know the key %s", seen, v["key"])
	case r.status == http.StatusUnauthorized && (strings.Contains(text, "expired") || strings.Contains(text, "not valid yet")):
		return found("sfu-clock", v, "%s, by LiveKit's clock the token is not good now", seen)
	case r.status == http.StatusUnauthorized:
		return found("sfu-secret", v, "%s, the signature is not good", seen)
	case r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed:
		if e.look.isLiveKit(ctx, e.apiURL()) {
			return found("sfu-twirp", v, "%s, but GET / is LiveKit's", seen)
		}
		return found("sfu-not-livekit", v, "%s", seen)
	case r.status/100 == 3:
		return found("sfu-not-livekit", v, "%s, a redirect to %s", seen, clip(r.header.Get("Location")))
	case r.status == http.StatusOK:
		return ok("%s", seen)
	case r.status == http.StatusBadGateway || r.status == http.StatusGatewayTimeout:
		return found("sfu-behind-proxy", v, "%s", seen)
	}
	return found("sfu-error", v, "%s", seen)
}

// autoCreate looks whether somebody whose token may not create rooms gets one
// all the same.
func (e *exam) autoCreate(ctx context.Context) Finding {
	nowhere := ticketFor(e.look.Config.Keys[0], token.Grant{Room: sfu.Room(probeName()), Identity: "doctor"})
	r, err := e.look.ask(ctx, question{method: http.MethodGet, url: e.apiURL() + "/rtc/validate", bearer: nowhere})
	switch {
	case err != nil:
		return found("sfu-api-connect", vars{"sfu": e.apiURL()}, "%s", reason(err))
	case r.status == http.StatusNotFound:
		return ok("a token that may not create rooms does not get into one that is not there")
	case r.status == http.StatusOK:
		return found("auto-create", nil, "a token that may not create rooms gets into one that is not there")
	}
	return found("sfu-error", vars{"sfu": e.apiURL()}, "GET /rtc/validate: %s", http.StatusText(r.status))
}

func (e *exam) sfuVars() vars {
	return vars{"sfu": e.sfuAt, "url": e.publicSFU(), "host": e.sfuURL().Hostname()}
}

// websocket begins a WebSocket without a token: LiveKit refuses that with a
// 401, and a request that came as no WebSocket with a 404.
func (e *exam) websocket(ctx context.Context) Finding {
	r, err := e.look.ask(ctx, question{method: http.MethodGet, url: e.publicSFU() + "/rtc", header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"bWF0cml4cnRjLWF1dGguZA=="},
		"Origin":                {origin},
	}})
	v := e.sfuVars()
	seen := "a WebSocket to " + e.publicSFU() + "/rtc: "
	switch {
	case err != nil:
		return found("sfu-broken", v, "%s%s", seen, reason(err))
	case asksLogin(r):
		return found("sfu-login", v, "%s%s", seen, r)
	case r.status == http.StatusSwitchingProtocols:
		return ok("%s%d %s, so it arrives", seen, r.status, http.StatusText(r.status))
	case r.status == http.StatusBadGateway || r.status == http.StatusServiceUnavailable || r.status == http.StatusGatewayTimeout:
		return found("sfu-proxy", v, "%s%s", seen, r)
	}
	root, err := e.look.get(ctx, e.publicSFU()+"/")
	switch {
	case r.status == http.StatusUnauthorized && err == nil && root.status == http.StatusUnauthorized: // LiveKit lets everybody see that
		return found("sfu-login", v, "%s%s, and so is GET /", seen, r)
	case r.status == http.StatusUnauthorized:
		return ok("%s%d %s, so it arrives", seen, r.status, http.StatusText(r.status))
	case err == nil && strings.TrimSpace(string(root.body)) == "OK":
		return found("websocket-headers", v, "%s%s, though LiveKit answers there", seen, r)
	}
	return found("sfu-no-route", v, "%s%s", seen, r)
}

// asksLogin reports whether a proxy wants to know who asks: LiveKit's own 401
// names no way to log in.
func asksLogin(r reply) bool {
	return r.status == http.StatusUnauthorized && r.header.Get("WWW-Authenticate") != ""
}

// barePrefix asks for the prefix without a slash.
func (e *exam) barePrefix(ctx context.Context) Finding {
	if strings.Trim(e.sfuURL().Path, "/") == "" {
		return na("LIVEKIT_URL has no prefix")
	}
	bare, err := e.look.get(ctx, e.publicSFU())
	if err != nil {
		return found("sfu-broken", e.sfuVars(), "%s", reason(err))
	}
	whole, err := e.look.get(ctx, e.publicSFU()+"/")
	if err == nil && whole.status == http.StatusOK && bare.status == http.StatusNotFound {
		return found("bare-sfu-prefix", e.sfuVars(), "GET %s: %s; with a slash behind it: %s", e.publicSFU(), bare, whole)
	}
	return ok("GET %s: %s", e.publicSFU(), bare)
}

// apiHidden looks whether the Room API can be reached from the internet.
func (e *exam) apiHidden(ctx context.Context) Finding {
	address := e.publicSFU() + "/twirp/livekit.RoomService/ListRooms"
	r, err := e.look.ask(ctx, question{method: http.MethodPost, url: address, body: "{}", header: http.Header{"Content-Type": {"application/json"}}})
	switch {
	case err != nil:
		return ok("POST %s: %s", address, reason(err))
	case asksLogin(r):
		return ok("POST %s: %s, asked by the proxy", address, http.StatusText(r.status))
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden && strings.Contains(string(r.body), "permission"):
		return found("twirp-public", e.twirpVars(), "POST %s: %s", address, http.StatusText(r.status))
	}
	return ok("POST %s: %s", address, http.StatusText(r.status))
}

// twirpVars say what has to be done before the API can be refused outside.
func (e *exam) twirpVars() vars {
	v := e.sfuVars()
	v["twirp"] = strings.TrimRight(e.sfuURL().Path, "/") + "/twirp/"
	switch api := e.look.Config.APIURL; {
	case api == nil: // outside it is not known
	case api.Host != e.sfuURL().Host:
		v["first"] = "LIVEKIT_INTERNAL_URL is set, so nothing needs that way: "
	default:
		v["first"] = fmt.Sprintf("first set LIVEKIT_INTERNAL_URL to http://livekit:%s and start the container again, because this service goes the public way itself; then ",
			cmp.Or(e.livekit.ports()["sfu_port"], examples["sfu_port"]))
	}
	return v
}

// defaultTCPPort is LiveKit's for media over TCP in every guide.
const defaultTCPPort = "7881"

// tcpPort connects to where media over TCP goes: to the port that LiveKit told
// whoever joined, else to that of every guide.
func (e *exam) tcpPort(ctx context.Context, join *Check) Finding {
	port := defaultTCPPort
	if join != nil && (join.ended.Cause == nil || join.ended.Cause.ID != "unfinished") {
		for _, c := range e.joined.media.Candidates {
			if c.Network == "tcp" {
				port = strconv.Itoa(int(c.Addr.Port()))
			}
		}
	}
	return e.reach(ctx, place{"ice-tcp", "tcp", e.sfuURL().Hostname(), port})
}

// websocketURL is u in its form for WebSockets.
func websocketURL(u *url.URL) string {
	ws := *u
	if scheme, there := map[string]string{"https": "wss", "http": "ws"}[u.Scheme]; there {
		ws.Scheme = scheme
	}
	return ws.String()
}
