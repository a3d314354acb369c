package doctor_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// recorded returns a handler that gives a recorded answer of a proxy or filter
// to every request.
func recorded(name string) http.HandlerFunc {
	text, err := os.ReadFile(filepath.Join("instruments", "testdata", name+".http"))
	if err != nil {
		panic(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.Header().Del("Date") // the date of the recording
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

// instead returns a middleware that passes every request to the handler answer,
// and never calls the handler behind it.
func instead(answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler { return answer }
}

// nowAndThen returns a middleware. It passes the first request for path to the
// handler answer, and all other requests to the handler behind it.
func nowAndThen(path string, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		var n atomic.Int64
		return at(path, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				answer(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})(next)
	}
}

// refusing returns a middleware. It passes a request to the handler answer if
// the request's body contains text. It passes all other requests to the handler
// behind the middleware.
func refusing(text string, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || strings.Contains(string(body), text) {
				answer(w, r)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
}

// redirect redirects every request to the same path on another host.
func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "https://www.example.org"+r.URL.Path, http.StatusMovedPermanently)
}

// service makes the given handler answer clients, in place of this service.
func service(answer http.HandlerFunc) func(*stack) {
	return func(s *stack) { s.jwtProxy = instead(answer) }
}

// fed makes the given handler answer requests to userinfo, in place of the
// homeserver's federation API.
func fed(answer http.HandlerFunc) func(*stack) {
	return func(s *stack) { s.fed = at("userinfo", answer) }
}

// api makes the given handler answer this service, in place of LiveKit, at all paths
// that contain the given path.
func api(path string, answer http.HandlerFunc) func(*stack) {
	return func(s *stack) { s.livekit = at(path, answer) }
}

var proxyBreaks = map[string]func(*stack){
	"proxy-certificate": service(recorded("nginx-400")),
	"proxy-refuses":     service(recorded("nginx-403")),
	"proxy-size":        service(recorded("nginx-413")),
	"proxy-limits":      service(recorded("nginx-429")),
	"proxy-challenge":   fed(recorded("cloudflare-challenge")),
	"proxy-login":       service(recorded("caddy-401")),
	"proxy-redirects":   service(redirect),
	"website-instead":   service(aSite),
	"homeserver-instead": service(adding("Server", "Synapse/1.163.2", adding("Access-Control-Allow-Origin", "*",
		matrixError(http.StatusNotFound, "M_UNRECOGNIZED")))),
	"answers-sometimes": func(s *stack) { s.jwtProxy = nowAndThen("/healthz", recorded("nginx-502")) },
	"homeserver-down":   fed(recorded("nginx-502")),
	"homeserver-limits": fed(matrixError(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED")),
	"sfu-nodes": api("/CreateRoom", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"code":"internal","msg":"could not find any available nodes"}`)
	}),
}

// proxyMixed are answers of proxies and filters at all places between the
// programs. Each entry lists all findings that doctor must report.
var proxyMixed = map[string]mix{
	"Synapse stopped behind nginx": {
		both(fed(recorded("nginx-502")), func(s *stack) { s.client = instead(recorded("nginx-502")) }),
		[]string{"homeserver.userinfo homeserver-down"},
	},
	"Synapse stopped behind Caddy":   {fed(recorded("caddy-502")), []string{"homeserver.userinfo homeserver-down"}},
	"Synapse stopped behind HAProxy": {fed(recorded("haproxy-503")), []string{"homeserver.userinfo homeserver-down"}},
	"Synapse stopped behind Traefik": {fed(recorded("traefik-502")), []string{"homeserver.userinfo homeserver-down"}},
	"a website at the federation address": {
		fed(aSite),
		[]string{"homeserver.userinfo website-instead"},
	},
	"the service stopped behind DSM":        {service(recorded("dsm-502")), []string{"public.healthz service-proxy"}},
	"a slow service behind DSM":             {service(recorded("dsm-504")), []string{"public.healthz service-proxy"}},
	"DSM refuses by a profile":              {service(recorded("dsm-403")), []string{"public.healthz proxy-refuses"}},
	"DSM has no entry for the service":      {service(recorded("dsm-200")), []string{"public.healthz website-instead"}},
	"DSM's own 404 before the service":      {service(recorded("dsm-404")), []string{"public.healthz service-no-route"}},
	"Synapse stopped behind DSM":            {fed(recorded("dsm-502")), []string{"homeserver.userinfo homeserver-down"}},
	"LiveKit stopped behind DSM":            {func(s *stack) { s.sfuProxy = instead(recorded("dsm-502")) }, []string{"sfu.websocket sfu-proxy"}},
	"DSM's own 404 before LiveKit":          {func(s *stack) { s.sfuProxy = instead(recorded("dsm-404")) }, []string{"sfu.websocket sfu-no-route"}},
	"a redirect at the federation address":  {fed(redirect), []string{"homeserver.userinfo proxy-redirects"}},
	"a redirect before LiveKit's API":       {api("/twirp", redirect), []string{"sfu.api proxy-redirects"}},
	"a redirect of WebSockets":              {func(s *stack) { s.sfuProxy = instead(redirect) }, []string{"sfu.websocket proxy-redirects"}},
	"a redirect of /get_token":              {func(s *stack) { s.jwtProxy = at("/get_token", redirect) }, []string{"public.routes proxy-redirects"}},
	"a filter at the federation address":    {fed(recorded("haproxy-403")), []string{"homeserver.userinfo proxy-refuses"}},
	"a limit at the federation address":     {fed(recorded("haproxy-429")), []string{"homeserver.userinfo proxy-limits"}},
	"a password before the service":         {service(recorded("nginx-401")), []string{"public.healthz proxy-login"}},
	"Cloudflare's challenge at the service": {service(recorded("cloudflare-challenge")), []string{"public.healthz proxy-challenge"}},
	"Cloudflare's firewall at the service":  {service(recorded("cloudflare-1020")), []string{"public.healthz proxy-refuses"}},
	"HAProxy without the service":           {service(recorded("haproxy-503")), []string{"public.healthz service-proxy"}},
	"nginx that limits with 503":            {service(recorded("nginx-503")), []string{"public.healthz proxy-limits"}},
	"a filter of POST at the service":       {func(s *stack) { s.jwtProxy = method(http.MethodPost, recorded("nginx-403")); s.anonymous() }, []string{"public.cors proxy-refuses"}},
	"a filter of exclamation marks": {
		func(s *stack) { s.jwtProxy = refusing("!", recorded("nginx-403")); s.anonymous() },
		[]string{"public.body proxy-refuses"},
	},
	"a proxy that passes the token's two paths alone": {
		func(s *stack) { s.jwtProxy = at("/delegate_delayed_leave", recorded("nginx-404")) },
		[]string{"public.routes route-not-passed"},
	},
	"webhooks that come the public way, which is not passed on": {
		both(replace("http://matrixrtc-auth:8080/sfu_webhook", "https://"+jwtHost+"/sfu_webhook"),
			func(s *stack) { s.jwtProxy = at("/sfu_webhook", recorded("caddy-404")) }),
		[]string{"public.routes route-not-passed"},
	},
	"a listener without the resource openid, from outside": {
		both(fed(matrixError(http.StatusNotFound, "M_UNRECOGNIZED")), func(s *stack) {
			s.anonymous()
			s.outside()
		}),
		[]string{"homeserver.userinfo openid-not-served"},
	},
	"a dead AAAA record of the server name": {
		func(s *stack) { s.dns[apexHost] = append(s.dns[apexHost], "fd00::99") },
		[]string{"homeserver.addresses dead-ipv6"},
	},
	"LiveKit's name has no address, and the service asks it there, too": {
		func(s *stack) {
			delete(s.env, "LIVEKIT_INTERNAL_URL")
			delete(s.dns, sfuHost)
			s.anonymous()
		},
		[]string{"sfu.api sfu-api-dns"},
	},
	"an address of webhooks without a scheme": {
		func(s *stack) {
			replace("http://matrixrtc-auth:8080/sfu_webhook", "matrixrtc-auth:8080/sfu_webhook")(s)
			s.webhooks = false
		},
		[]string{"livekit.webhook livekit-webhook-url"},
	},
	"an address of webhooks for WebSockets": {
		func(s *stack) {
			replace("http://matrixrtc-auth:8080/sfu_webhook", "wss://matrixrtc-auth:8080/sfu_webhook")(s)
			s.webhooks = false
		},
		[]string{"livekit.webhook livekit-webhook-url"},
	},
	"STUN is blocked, and node_ip is set beside use_external_ip": {
		func(s *stack) {
			replace("use_external_ip: true", "use_external_ip: true\n  node_ip: 203.0.113.9")(s)
			s.routes["udp "+stunIP+":3478"] = "silent"
		},
		[]string{"livekit.external_ip stun-blocked"},
	},
	"a filter before LiveKit's API":          {api("/twirp", recorded("haproxy-403")), []string{"sfu.api proxy-refuses"}},
	"a limit before LiveKit's API":           {api("/twirp", recorded("nginx-503")), []string{"sfu.api proxy-limits"}},
	"Cloudflare before LiveKit's API":        {api("/twirp", recorded("cloudflare-challenge")), []string{"sfu.api proxy-challenge"}},
	"LiveKit stopped behind HAProxy":         {func(s *stack) { s.sfuProxy = instead(recorded("haproxy-503")) }, []string{"sfu.websocket sfu-proxy"}},
	"a filter of WebSockets":                 {func(s *stack) { s.sfuProxy = instead(recorded("nginx-403")) }, []string{"sfu.websocket proxy-refuses"}},
	"one of two servers of LiveKit is down":  {func(s *stack) { s.sfuProxy = nowAndThen("/rtc", recorded("caddy-502")) }, []string{"sfu.websocket answers-sometimes"}},
	"Cloudflare's challenge at the document": {wellKnownAt(recorded("cloudflare-challenge")), []string{"homeserver.wellknown proxy-challenge"}},
}
