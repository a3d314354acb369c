package doctor_test

import (
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"syscall"
	"testing"

	"matrixrtc-auth/matrix/matrixtest"
)

// TestMixed breaks the stack in more ways than TestBroken, sometimes in several
// ways at the same time. doctor must report exactly the listed checks, each
// with its listed cause.
func TestMixed(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(mixed)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			mixed[name].change(s)
			report := s.examine()
			isSound(t, report)
			var got []string
			for _, c := range report.Checks {
				if c.CauseID != "" {
					got = append(got, c.ID+" "+c.CauseID)
				}
			}
			if !slices.Equal(got, mixed[name].want) {
				t.Errorf("%q, want %q; seen is:\n%s", got, mixed[name].want, text(report))
			}
		})
	}
}

// mixed are changes of the stack by their names. Each lists the findings that
// doctor must report, in the order of the report.
var mixed = map[string]mix{
	"a value of the wrong kind in livekit.yaml": {
		replace("auto_create: false", "auto_create: [no]"),
		[]string{"livekit.file livekit-yaml"},
	},
	"a value of the wrong kind in livekit.yaml without a port for TCP": {
		func(s *stack) { s.files["/etc/livekit.yaml"] = "port: 7880\nroom:\n  auto_create: [no]\n" },
		[]string{"livekit.file livekit-yaml"},
	},
	"a livekit.yaml that the disk does not give out": {
		func(s *stack) { s.unread["/etc/livekit.yaml"] = syscall.EIO },
		[]string{"livekit.file livekit-file"},
	},
	"a path of LiveKit's that the proxy removes": {
		func(s *stack) {
			s.sfu("wss://" + sfuHost + "/rtc")
			s.sfuProxy = func(next http.Handler) http.Handler { return http.StripPrefix("/rtc", next) }
		},
		nil,
	},
	"a path of LiveKit's in both addresses": {
		func(s *stack) {
			s.sfu("wss://" + sfuHost + "/rtc")
			s.env["LIVEKIT_INTERNAL_URL"] = "http://livekit:7880/rtc/v1"
		},
		[]string{"config.sfu_url sfu-url-path"},
	},
	"this service's route in the place of LiveKit": {
		func(s *stack) { s.sfu("wss://" + jwtHost + "/sfu/get") },
		[]string{"config.sfu_url sfu-url-path"},
	},
	"a path in an override for clients": {
		set("LIVEKIT_CS_API_URL_OVERRIDES", apexHost+"=https://"+matrixHost+"/_matrix/client"),
		[]string{"config.warnings override-path"},
	},
	"a path in the override of another server": {
		func(s *stack) {
			s.env["LIVEKIT_FEDERATION_URL_OVERRIDES"] = "other.org=https://other.org/_matrix"
			s.fed = func(http.Handler) http.Handler { return failing(http.StatusNotFound) }
		},
		[]string{"config.warnings override-path", "homeserver.userinfo openid-not-served"},
	},
	"a container's loopback address, which the proxy reaches": {
		func(s *stack) { s.container = true },
		nil,
	},
	"a container's loopback address, which the proxy reaches and LiveKit does not": {
		func(s *stack) { s.container, s.webhooks = true, false },
		[]string{"webhook.round_trip listen-alone"},
	},
	"a name of containers for clients, which nobody finds": {
		func(s *stack) {
			s.sfu("wss://sfu")
			s.env["LIVEKIT_INTERNAL_URL"] = "http://livekit:7880"
		},
		[]string{"config.sfu_url sfu-url-inside"},
	},
	"the tokens of an application service without a file": {
		func(s *stack) {
			for _, name := range []string{"LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN"} {
				s.env[name] = "short"
			}
			s.env["LIVEKIT_HS_SERVER_NAME"] = apexHost
		},
		[]string{"config.registration config-doubtful"},
	},
	"a key file, and other keys that do not count": {
		func(s *stack) {
			keyFileOf(goodKeys, 0o640)(s)
			replace("port: 7880\n", "port: 7880\nkeys: {other: not-the-secret-but-as-long-as-that-0123}\n")(s)
		},
		nil,
	},
	"a key file with another secret": {
		both(keyFileOf(stackKey.ID+": "+otherSecret+"\n", 0o440), knowing(stackKey.ID)),
		[]string{"livekit.keys livekit-secret"},
	},
	"a key file without our key": {
		both(keyFileOf("other: "+otherSecret+"\n", 0o440), knowing("other")),
		[]string{"livekit.keys livekit-key-missing"},
	},
	"an empty key file": {
		keyFileOf("# nothing yet\n", 0o440),
		[]string{"livekit.keys livekit-key-file"},
	},
	"a key file that this user may not read": {
		func(s *stack) {
			keyFileOf(goodKeys, 0o600)(s)
			s.unread["/etc/livekit-keys.yaml"] = fs.ErrPermission
		},
		nil,
	},
	"a key file that others may write": {
		func(s *stack) {
			keyFileOf(goodKeys, 0o602)(s)
			s.unread["/etc/livekit-keys.yaml"] = fs.ErrPermission
		},
		[]string{"livekit.keys livekit-secret-file-open"},
	},
	"a key file in LiveKit's container alone": {
		func(s *stack) {
			keyFileOf(goodKeys, 0o600)(s)
			delete(s.files, "/etc/livekit-keys.yaml")
			clear(s.modes)
		},
		nil,
	},
	"the open secret of a TURN server": {
		func(s *stack) {
			replace("rtc:\n", "rtc:\n  turn_servers: [{host: turn.example.org, port: 3478, protocol: udp, secret_file: /etc/turn-secret}]\n")(s)
			s.modes["/etc/turn-secret"] = 0o644
		},
		[]string{"livekit.keys livekit-secret-file-open"},
	},
	"a folder that --livekit-yaml names": {
		func(s *stack) { s.options.LiveKitYAML = s.t.TempDir() },
		[]string{"livekit.file livekit-folder"},
	},
	"a LIVEKIT_URL that the service refuses": {
		set("LIVEKIT_URL", "wss://sfu.example.org?token=another-secret"),
		[]string{"config.environment config-refused"},
	},
	"a LIVEKIT_INTERNAL_URL that the service refuses": {
		set("LIVEKIT_INTERNAL_URL", "http://livekit:7880?token=another-secret"),
		[]string{"config.environment config-refused"},
	},

	"a proxy that writes two CORS headers as one": {
		func(s *stack) { s.jwtProxy = allowing("*, *") },
		[]string{"public.cors cors-doubled"},
	},
	"a proxy whose CORS header is for another site": {
		func(s *stack) { s.jwtProxy = allowing("https://app.example.net") },
		[]string{"public.cors cors-doubled"},
	},
	"a site that answers in the place of this service": {
		func(s *stack) { s.jwtProxy = func(http.Handler) http.Handler { return aSite } },
		[]string{"public.healthz website-instead"},
	},
	"a site before this service, which is below a prefix": {
		func(s *stack) {
			prefixed(s)
			s.jwtProxy = func(http.Handler) http.Handler { return aSite }
		},
		[]string{"public.healthz website-instead"},
	},
	"a site that answers all WebSockets with a page": {
		func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return aSite } },
		[]string{"sfu.websocket website-instead"},
	},
	"single sign-on that names no way to log in": {
		func(s *stack) {
			s.sfuProxy = func(http.Handler) http.Handler { return failing(http.StatusUnauthorized) }
		},
		[]string{"sfu.websocket sfu-login"},
	},
	"a password for WebSockets alone, so nobody joins": {
		func(s *stack) { s.sfuProxy = at("/rtc", login(http.StatusUnauthorized)); s.closedTo = "wss://" },
		[]string{"sfu.websocket sfu-login"},
	},
	"a password for the Room API": {
		func(s *stack) { s.sfuProxy = at("/twirp", login(http.StatusUnauthorized)) },
		nil,
	},
	"a proxy that passes WebSockets on and nothing else": {
		func(s *stack) {
			s.sfuProxy = func(next http.Handler) http.Handler { return at("/rtc", next.ServeHTTP)(failing(http.StatusForbidden)) }
		},
		nil,
	},
	"two homeservers with one service": {twoServers("https://jwt.example.org"), nil},
	"two homeservers, the first without an address, and the proxy reaches nothing": {
		func(s *stack) {
			breaks["service-proxy"](s)
			twoServers("https://jwt.example.org")(s)
			set("LIVEKIT_FULL_ACCESS_HOMESERVERS", second+","+apexHost)(s)
			delete(s.dns, second)
		},
		[]string{"homeserver.addresses apex-no-address", "public.healthz service-proxy"},
	},
	"two homeservers without an address": {
		func(s *stack) {
			twoServers("https://jwt.example.org")(s)
			delete(s.dns, second)
			delete(s.dns, apexHost)
		},
		[]string{"homeserver.addresses apex-no-address", "homeserver.addresses apex-no-address"},
	},

	// doctor reports two faults if neither explains the other.
	"STUN is blocked, and the secret is wrong": {
		both(livekitBreaks["stun-blocked"], sfuBreaks["sfu-secret"]),
		[]string{"livekit.external_ip stun-blocked", "sfu.api sfu-secret"},
	},
	"TURN has no port, and the secret is wrong": {
		both(livekitBreaks["turn-portless"], sfuBreaks["sfu-secret"]),
		[]string{"livekit.turn turn-portless", "sfu.api sfu-secret"},
	},
	"media over TCP is off, and LiveKit is slow": {
		both(livekitBreaks["livekit-tcp-off"], sfuBreaks["sfu-slow"]),
		[]string{"livekit.ports livekit-tcp-off", "sfu.api sfu-slow"},
	},
	"the transports differ, and a proxy answers for OpenID": {
		both(homeserverBreaks["transports-differ"], func(s *stack) { s.client = at("openid", failing(http.StatusBadGateway)) }),
		[]string{"homeserver.transports transports-differ", "user.openid homeserver-down"},
	},
	"LIVEKIT_URL is the former service, and the secret is wrong": {
		both(configBreaks["former-service"], sfuBreaks["sfu-secret"]),
		[]string{"config.sfu_url former-service", "sfu.api sfu-secret"},
	},
	"the certificate of the server name is of nobody, and the override leads nowhere": {
		both(homeserverBreaks["federation-dns"], func(s *stack) { s.certs[apexHost] = matrixtest.NewCA().Certificate(apexHost); s.anonymous() }),
		[]string{"homeserver.tls tls-untrusted", "homeserver.userinfo federation-dns"},
	},

	// In these stacks, one cause leads to findings of several checks. One of these
	// findings may in turn explain the finding of another check. doctor must report
	// only the first cause.
	"LiveKit and this service have a folder for livekit.yaml": {
		both(livekitBreaks["livekit-folder"], sfuBreaks["sfu-api-connect"]),
		[]string{"livekit.file livekit-folder"},
	},
	"no name server answers": {
		noDNS,
		[]string{"homeserver.addresses dns-broken"},
	},
	"no name server answers, and LiveKit asks for no address": {
		both(replace("use_external_ip: true", "use_external_ip: false"), noDNS),
		[]string{"homeserver.addresses dns-broken"},
	},
	"no name server answers for two servers, and overrides have names": {
		both(set("LIVEKIT_FULL_ACCESS_HOMESERVERS", apexHost+",two.example.org"), set("LIVEKIT_FEDERATION_URL_OVERRIDES", apexHost+"=http://synapse:8008"),
			set("LIVEKIT_CS_API_URL_OVERRIDES", apexHost+"=http://synapse:8008"), noDNS),
		[]string{"homeserver.addresses dns-broken"},
	},
	"the name server inside does not answer for LiveKit": {
		func(s *stack) { s.dnsError["livekit"] = broken("livekit"); delete(s.dns, "livekit"); s.anonymous() },
		[]string{"sfu.api dns-broken"},
	},
	"LiveKit does not start": {
		both(livekitBreaks["livekit-key-unknown"], sfuBreaks["sfu-api-connect"], sfuBreaks["sfu-proxy"]),
		[]string{"livekit.file livekit-key-unknown"},
	},
	"an override that leads to a worker, which restarts delayed events and sends none": {
		func(s *stack) {
			s.env["LIVEKIT_CS_API_URL_OVERRIDES"] = apexHost + "=https://matrix.example.org"
			s.client = at(nobodysEvent+"/send", matrixError(http.StatusNotFound, "M_UNRECOGNIZED"))
		},
		[]string{"homeserver.delayed_route delayed-events-route"},
	},
	"a worker that cancels no delayed event": {
		func(s *stack) {
			s.client = at(nobodysEvent+"/cancel", matrixError(http.StatusNotFound, "M_UNRECOGNIZED"))
		},
		[]string{"homeserver.delayed_route delayed-events-route"},
	},
	"delayed events are limited everywhere": {
		func(s *stack) {
			s.client = at(delayedRoute, matrixError(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED"))
		},
		[]string{"homeserver.delayed_route delayed-events-limited"},
	},
}
