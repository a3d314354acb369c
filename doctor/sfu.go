package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// livekit has the checks of the SFU.
type livekit struct{ *exam }

// steps are the checks of LiveKit. Without --outside, they use LiveKit's
// API and need the API key. With --outside, they use the tokens that the
// service gives the user, if --user names one.
func (e livekit) steps() []engine.Step {
	outside, m := e.o.Outside, media(e)
	join := "sfu.join"
	if outside {
		join = "user.join"
	}
	alone := outside && !e.hasUser()
	return []engine.Step{
		{ID: "sfu.api", After: "livekit.file", Unless: outside, Run: e.api},
		{ID: "sfu.auto_create", Needs: "sfu.api", Unless: outside, Run: e.autoCreate},
		// This check makes LiveKit send a webhook. It runs after service.status,
		// which reads how many webhooks the service has got so far.
		{ID: "sfu.room", Needs: "sfu.api", After: "service.status", Unless: outside, Run: e.room.create},
		{ID: "sfu.codecs", Needs: "sfu.room", Unless: outside, Run: e.codecs},
		{ID: "sfu.addresses", Needs: e.whoKnowsSFU(), After: unless(!outside, "public.healthz"), Run: e.sfuAddresses},
		{ID: "sfu.tls", Needs: "sfu.addresses", Run: func(ctx context.Context) engine.Finding {
			return e.certificate(ctx, placeOf("sfu", e.sfuURL()))
		}},
		{ID: "sfu.websocket", Needs: "sfu.tls", Run: e.websocket},
		{ID: "sfu.bare_prefix", Needs: "sfu.tls", Run: e.barePrefix},
		// livekit.file comes first, because it finds LiveKit's port in livekit.yaml. The
		// remedy of sfu.api_hidden names this port.
		{ID: "sfu.api_hidden", Needs: "sfu.tls", After: "livekit.file", Run: e.apiHidden},
		// user.join comes first: in that join LiveKit tells doctor the port for TCP.
		{ID: "sfu.tcp_port", Needs: "sfu.addresses", After: "user.join", Unless: !outside, Run: e.tcpPort},
		{ID: "sfu.public_room", Needs: "sfu.room sfu.websocket", Unless: outside, Run: e.publicRoom},
		{ID: "sfu.join", Needs: "sfu.room", Limit: joinLimit, Unless: outside, Run: m.join},
		{ID: "sfu.candidates", Needs: join, Unless: alone, Run: m.candidates},
		{ID: "sfu.ice_tcp", Needs: join, Unless: alone, Run: m.iceTCP},
		{ID: "sfu.turn", Needs: join, Limit: joinLimit, Unless: alone, Run: m.turn},
	}
}

// whoKnowsSFU returns the id of the check that learns from this service where
// LiveKit is. It returns "" if the run has no such check: doctor runs inside the
// deployment, has no user, or got LiveKit's URL as an option.
func (e livekit) whoKnowsSFU() string {
	const get = "user.sfu_get"
	if !e.learnsSFU() || skipped(e.o, get) {
		return ""
	}
	return get
}

// sfuAddresses resolves the host of LiveKit's public URL, and connects to it.
// The URL is the first of these that doctor has:
//
//   - the URL of --sfu-url
//   - without --outside, LIVEKIT_URL
//   - with --outside, the URL that this service gave the user of --user
//   - with --outside, the URL that guessSFU finds
//
// If guessSFU finds nothing, that is a warning, and LiveKit is not checked.
func (e livekit) sfuAddresses(ctx context.Context) engine.Finding {
	switch {
	case e.sfuURL() != nil:
		if f := e.judgeSFU(); f.Cause != nil {
			return f
		}
		return e.reach(ctx, placeOf("sfu", e.sfuURL()))
	case e.o.Outside && e.guessSFU(ctx):
		f := e.reach(ctx, placeOf("sfu", e.sfuURL()))
		f.Seen = fmt.Sprintf("LiveKit answers at %s, which doctor guessed from the service's address; %s", e.sfuAt, f.Seen)
		return f
	case e.o.Outside && e.at == nil:
		return na("the address of LiveKit is unknown, and doctor cannot look for it beside this service, because this service was not found")
	case e.o.Outside:
		return found("sfu-unknown", engine.Vars{"command": e.withSFU()}, "the address of LiveKit is unknown, and no LiveKit answers beside the service")
	}
	return na("the address of LiveKit is unknown; give it with --sfu-url")
}

// guessSFU looks for LiveKit at the places where guides put it. If the service
// is at jwt.example.org, that place is sfu.example.org. If the service is below
// /livekit/jwt, that place is /livekit/sfu. guessSFU accepts a place only if
// LiveKit answers there.
func (e livekit) guessSFU(ctx context.Context) bool {
	if e.at == nil {
		return false
	}
	u := *e.at
	if label, domain, dotted := strings.Cut(u.Host, "."); strings.Contains(u.Path, "jwt") {
		u.Path = strings.Replace(u.Path, "jwt", "sfu", 1)
	} else if dotted && strings.Contains(label, "jwt") {
		u.Host = strings.Replace(label, "jwt", "sfu", 1) + "." + domain
	} else {
		return false
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if !e.isLiveKit(ctx, u.String()) {
		return false
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	e.sfuAt = u.String()
	return true
}

// withSFU returns the command line of this run, with the missing option
// --sfu-url added.
func (e livekit) withSFU() string {
	command := "matrixrtc-auth doctor --outside"
	for _, name := range e.o.Servers {
		command += " --server-name " + name.String()
	}
	if e.o.PublicURL != nil {
		command += " --public-url " + e.o.PublicURL.String()
	}
	return command + " --sfu-url wss://…"
}

func (e *exam) sfuVars() engine.Vars {
	return engine.Vars{"sfu": e.sfuAt, "url": e.publicSFU(), "host": e.sfuURL().Hostname()}
}

// websocket opens a WebSocket without a token. LiveKit answers 401 to that. A
// 404 means that a proxy did not forward the request as a WebSocket.
func (e livekit) websocket(ctx context.Context) engine.Finding {
	r, err := e.look.Ask(ctx, websocketQuestion(e.publicSFU()+"/rtc"))
	v := e.sfuVars()
	seen := "a WebSocket to " + e.publicSFU() + "/rtc: "
	switch {
	case isFault(uncertified(askedSFU, err, v, "")):
		return uncertified(askedSFU, err, v, strings.TrimSuffix(seen, " "))
	case err != nil:
		return found("sfu-broken", v, "%s%s", seen, reason(err))
	case r.AsksLogin():
		return found("sfu-login", v, "%s%s", seen, r)
	case r.Status == http.StatusSwitchingProtocols:
		return ok("%s%d %s, so it arrives", seen, r.Status, http.StatusText(r.Status))
	case isFault(stranger(askedSFU, r, v, seen)):
		return stranger(askedSFU, r, v, strings.TrimSuffix(seen, " "))
	}
	root, err := e.look.Get(ctx, e.publicSFU()+"/")
	switch {
	case r.Status == http.StatusUnauthorized && err == nil && root.Status == http.StatusUnauthorized: // this is not LiveKit, which does not answer 401 at its root path
		return found("sfu-login", v, "%s%s, and so is GET /", seen, r)
	case r.Status == http.StatusUnauthorized:
		return steady(askedSFU, r, v, ok("%s%d %s, so it arrives", seen, r.Status, http.StatusText(r.Status)))
	case err == nil && root.SaysOK():
		return found("websocket-headers", v, "%s%s, though LiveKit answers there", seen, r)
	}
	return found("sfu-no-route", v, "%s%s", seen, r)
}

// barePrefix requests the path of LiveKit's public URL without a slash at its
// end. It warns if the proxy answers 404 there.
func (e livekit) barePrefix(ctx context.Context) engine.Finding {
	if strings.Trim(e.sfuURL().Path, "/") == "" {
		return na("LIVEKIT_URL has no prefix")
	}
	bare, err := e.look.Get(ctx, e.publicSFU())
	if err != nil {
		return found("sfu-broken", e.sfuVars(), "%s", reason(err))
	}
	whole, err := e.look.Get(ctx, e.publicSFU()+"/")
	if err == nil && whole.Status == http.StatusOK && bare.Status == http.StatusNotFound {
		return found("bare-sfu-prefix", e.sfuVars(), "GET %s: %s; with a slash behind it: %s", e.publicSFU(), bare, whole)
	}
	return ok("GET %s: %s", e.publicSFU(), bare)
}

// apiHidden warns if LiveKit's Room API can be reached from the internet. That is
// no fault, because the API demands a token that is signed with the API secret.
func (e livekit) apiHidden(ctx context.Context) engine.Finding {
	address := e.publicSFU() + "/twirp/livekit.RoomService/ListRooms"
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: address, Body: "{}", Header: http.Header{"Content-Type": {"application/json"}}})
	switch {
	case err != nil:
		return ok("POST %s: %s", address, reason(err))
	case r.AsksLogin():
		return ok("POST %s: %s, asked by the proxy", address, http.StatusText(r.Status))
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden && strings.Contains(string(r.Body), "permission"):
		return found("twirp-public", e.twirpVars(), "POST %s: %s", address, http.StatusText(r.Status))
	}
	return ok("POST %s: %s", address, http.StatusText(r.Status))
}

// twirpVars returns the values for the placeholders in the remedy of the cause
// twirp-public. The remedy is to refuse requests from the internet to LiveKit's
// Room API. The placeholder {first} says what the operator must do before that.
func (e livekit) twirpVars() engine.Vars {
	v := e.sfuVars()
	v["twirp"] = strings.TrimRight(e.sfuURL().Path, "/") + "/twirp/"
	switch api := e.look.Config.APIURL; {
	case api == nil: // with --outside doctor does not know the URL at which the service reaches the API
	case api.Host != e.sfuURL().Host:
		v["first"] = "this service has LIVEKIT_INTERNAL_URL, so it does not need the public address: "
	default:
		v["first"] = causes.Fill("first set LIVEKIT_INTERNAL_URL to http://livekit:{sfu_port} and create the container again, because this service itself uses the public address; then ",
			e.livekit.ports())
	}
	return v
}

// defaultTCPPort is LiveKit's port for media over TCP in every guide.
const defaultTCPPort = "7881"

// tcpPort connects to LiveKit's port for media over TCP: the one that LiveKit
// told a participant, or else defaultTCPPort.
func (e livekit) tcpPort(ctx context.Context) engine.Finding {
	port := defaultTCPPort
	m, _ := e.told.get()
	for _, c := range m.Candidates {
		if c.Network == "tcp" {
			port = strconv.Itoa(int(c.Addr.Port()))
		}
	}
	return e.reach(ctx, place{"ice-tcp", "tcp", e.sfuURL().Hostname(), port})
}

// websocketURL returns u with the scheme ws or wss.
func websocketURL(u *url.URL) string {
	ws := *u
	if scheme, there := map[string]string{"https": "wss", "http": "ws"}[u.Scheme]; there {
		ws.Scheme = scheme
	}
	return ws.String()
}
