package doctor_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"

	"matrixrtc-auth/doctor/instruments"
)

func init() {
	maps.Copy(breaks, otherBreaks)
	maps.Copy(mixed, otherMixed)
}

// otherBreaks are faults of different kinds in the test deployment. In most of
// them, an address leads to a program that is meant for something else.
var otherBreaks = map[string]func(*stack){
	"address-private": func(s *stack) {
		s.anonymous()
		s.outside()
		s.dns[jwtHost], s.routes["tcp 192.168.1.5:443"] = []string{"192.168.1.5"}, "silent"
		s.options.SFUURL = "wss://" + sfuHost
	},
	"tls-old": func(s *stack) {
		s.routes["tcp "+jwtIP+":443"] = speaking(s, tls.VersionTLS11)
	},
	"service-instead": func(s *stack) {
		s.sfuProxy = func(http.Handler) http.Handler { return s.newService() }
		s.anonymous()
	},
	"livekit-instead": func(s *stack) {
		s.anonymous()
		s.env["LIVEKIT_CS_API_URL_OVERRIDES"] = apexHost + "=http://livekit:7880"
	},
	"service-garbled": func(s *stack) { s.jwtProxy = at("/healthz", matrixError(http.StatusBadRequest, "M_UNKNOWN")) },
	"sfu-url-port": func(s *stack) {
		s.sfu("wss://" + sfuHost + ":7880")
		s.sfuProxy = func(next http.Handler) http.Handler {
			s.routes["tcp "+sfuIP+":7880"] = newServer(s, next)
			return next
		}
		s.anonymous()
	},
	"room-full": func(s *stack) {
		s.livekit, s.joinErr = room("max_participants", 1), errNotJoined
		s.anonymous()
	},
	"media-udp-off": func(s *stack) {
		s.anonymous()
		s.media.Candidates = s.media.Candidates[1:]
		s.joinErr = &instruments.JoinError{Media: s.media, Err: errNotJoined}
	},
}

// otherMixed are more faults like those in otherBreaks. Each entry lists all
// findings that doctor must report.
var otherMixed = map[string]mix{
	"the override for the federation API leads to this service": {
		func(s *stack) {
			s.anonymous()
			s.dns["matrixrtc-auth"] = []string{"10.0.0.8"}
			s.routes["tcp 10.0.0.8:8080"] = newServer(s, s.newService())
			s.env["LIVEKIT_FEDERATION_URL_OVERRIDES"] = apexHost + "=http://matrixrtc-auth:8080"
		},
		[]string{"homeserver.userinfo service-instead"},
	},
	"the override for the federation API leads to LiveKit": {
		func(s *stack) {
			s.anonymous()
			s.env["LIVEKIT_FEDERATION_URL_OVERRIDES"] = apexHost + "=http://livekit:7880"
		},
		[]string{"homeserver.userinfo livekit-instead"},
	},
	"a byte order mark before the document": {
		func(s *stack) {
			s.anonymous()
			s.wellKnown = func(string) http.Handler { return document("\ufeff" + goodDocument) }
		},
		[]string{"homeserver.wellknown wellknown-not-json"},
	},
	"LiveKit does not run, and its Redis wants a password": {
		func(s *stack) {
			s.anonymous()
			s.livekitRedis("-NOAUTH Authentication required.\r\n")
			breaks["sfu-api-connect"](s)
		},
		[]string{"livekit.redis livekit-redis"},
	},
	"LiveKit runs, and its Redis does not know doctor": {
		func(s *stack) { s.anonymous(); s.livekitRedis("-NOAUTH Authentication required.\r\n") },
		nil,
	},
	"the Redis of LiveKit answers": {
		func(s *stack) { s.anonymous(); s.livekitRedis("+PONG\r\n") },
		nil,
	},
}

// speaking starts a server that supports TLS up to the given version, and
// returns its address.
func speaking(s *stack, version uint16) string {
	listener := s.listen()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.ca.Certificate(jwtHost)}, MinVersion: tls.VersionTLS10, MaxVersion: version}).Handshake()
			}()
		}
	}()
	return listener.Addr().String()
}

// livekitRedis makes LiveKit use a Redis that gives this answer to every PING.
func (s *stack) livekitRedis(answer string) {
	s.files["/etc/livekit.yaml"] += "redis:\n  address: redis:6379\n"
	s.dns["redis"] = []string{"10.0.0.12"}
	listener := s.listen()
	s.routes["tcp 10.0.0.12:6379"] = listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerLines(conn, answer)
		}
	}()
}

// answerLines gives this answer to each PING on a connection.
func answerLines(conn net.Conn, answer string) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == "PING" {
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}
}
