package existing

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// The ports that setup uses in every deployment.
const (
	sfuPort  = 7880
	tcpPort  = 7881
	turnPort = 3478
)

const portsDone = "the router has the rules of ports.md, and no other rules for LiveKit."

// ports finds the ports of the service and of the media.
func (j *judge) ports() {
	if j.config.there() {
		j.media()
		j.fixed("port", sfuPort, "Lead the proxy's entry of LiveKit to port 7880 (reverse-proxy.md).", j.config.get("port"))
		j.fixed("rtc.tcp_port", tcpPort, "Forward TCP port 7881 in the router (ports.md).", j.config.get("rtc", "tcp_port"))
	}
	if j.sfu != nil && !j.sfu.hostNetwork {
		j.unpublished()
	}
	if v, found := j.service.variable("LIVEKIT_JWT_PORT", "LK_JWT_PORT", "LIVEKIT_JWT_BIND"); found {
		j.listens(v)
	} else {
		j.jwtPort("8080", j.serviceAt())
	}
}

func (j *judge) serviceAt() Place {
	if j.service == nil {
		return Place{}
	}
	return j.service.at
}

// listens reads the port at which the service listens inside its container from the
// end of the value of v. With it, listens finds the machine's port that Docker
// forwards to the service.
func (j *judge) listens(v Variable) {
	text := v.Value.Reveal()
	j.jwtPort(text[strings.LastIndex(text, ":")+1:], v.Place)
	j.find(Finding{Verb: Drop, What: v.Name, Place: v.Place,
		Why: "In its container the service listens on port 8080, and compose.yaml leads the machine's port to that port."})
}

// jwtPort finds the machine's port that Docker forwards to the service. inside
// is the number of the port at which the service listens inside its container.
func (j *judge) jwtPort(inside string, at Place) {
	if j.service == nil {
		return
	}
	if j.service.hostNetwork {
		j.say("jwt-port", inside, at)
		return
	}
	for _, p := range j.service.published {
		if p.inside == inside && p.outside != "" {
			j.say("jwt-port", p.outside, p.at)
		}
	}
}

// media finds the UDP ports for media.
func (j *judge) media() {
	low, high := j.config.get("rtc", "port_range_start"), j.config.get("rtc", "port_range_end")
	if one := j.config.get("rtc", "udp_port"); one.there() {
		j.find(Finding{Verb: Change, What: "UDP port " + one.text() + ", rtc.udp_port", Place: one.place(),
			Why:   "This single port carried all media. setup uses a range of ports: forward them in the router (ports.md).",
			Check: portsDone})
		return
	}
	if low.port() == 0 || high.port() == 0 {
		j.find(Finding{Verb: Add, What: "rtc.port_range_start and port_range_end", Place: Place{File: j.config.file},
			Why:   "Without these settings LiveKit uses UDP ports 50000-60000 for media, which nobody forwards. setup uses a small range: forward it in the router (ports.md).",
			Check: portsDone})
		return
	}
	span := fmt.Sprintf("%d-%d", low.port(), high.port())
	j.say("udp-range", span, low.place())
	if low.port() <= lastOutgoing && high.port() >= firstOutgoing {
		j.find(Finding{Verb: Change, What: "UDP ports " + span, Place: low.place(),
			Why:   "Linux uses the ports 32768-60999 for outgoing connections. If Linux has taken one of your media ports, the container does not start. Reserve the media ports with this line in /etc/sysctl.conf, or run setup again with --udp-range 20000-20200 and change the router's rule.",
			Lines: []string{"net.ipv4.ip_local_reserved_ports=" + span},
			Check: "`sysctl net.ipv4.ip_local_reserved_ports` prints these ports, or the router has the new rule."})
	}
}

// The range from which Linux, by default, chooses a port for an outgoing
// connection.
const (
	firstOutgoing = 32768
	lastOutgoing  = 60999
)

// fixed adds a finding if t, a port of the old deployment, differs from want,
// which is the port that setup always uses. The parameter do says what the
// operator must do about the new port.
func (j *judge) fixed(name string, want int, do string, t tree) {
	if !t.there() || t.port() == want {
		return
	}
	j.find(Finding{Verb: Change, What: name + " " + t.text(), Place: t.place(),
		Why: fmt.Sprintf("setup uses %d. %s", want, do), Check: fmt.Sprintf("doctor says ✓ for port %d.", want)})
}

// unpublished adds a finding about each port that LiveKit used, but that the
// machine did not forward to LiveKit's container.
func (j *judge) unpublished() {
	publishes := func(port int, protocol string) bool {
		for _, p := range j.sfu.published {
			if inRange(p.inside, port) && p.protocol == protocol {
				return true
			}
		}
		return false
	}
	for _, p := range []struct {
		port     int
		protocol string
		use      string
	}{
		{cmp.Or(j.config.get("rtc", "tcp_port").port(), tcpPort), "tcp", "media for networks that block UDP"},
		{j.turnUDP(), "udp", "TURN"},
		{j.config.get("rtc", "port_range_start").port(), "udp", "media"},
	} {
		if p.port != 0 && !publishes(p.port, p.protocol) {
			j.find(Finding{Verb: Add, What: fmt.Sprintf("port %d/%s", p.port, p.protocol), Place: j.sfu.at,
				Why:   "LiveKit uses this port for " + p.use + ", but the old compose file does not publish it. The new compose.yaml does: forward the port in the router (ports.md).",
				Check: portsDone})
		}
	}
}

// inRange reports whether text, a port or a range of ports, contains port.
func inRange(text string, port int) bool {
	low, high, _ := strings.Cut(text, "-")
	first, _ := strconv.Atoi(low)
	last, _ := strconv.Atoi(cmp.Or(high, low))
	return first <= port && port <= last
}

// turnUDP returns the port of TURN over UDP, or 0 if there is none.
func (j *judge) turnUDP() int {
	if !j.config.get("turn", "enabled").isTrue() {
		return 0
	}
	return j.config.get("turn", "udp_port").port()
}

// turn finds the settings of LiveKit's TURN server.
func (j *judge) turn() {
	t := j.config.get("turn")
	if !t.get("enabled").isTrue() {
		if j.config.there() {
			j.say("turn", "false", Place{j.config.file, t.place().Line})
		}
		return
	}
	j.say("turn", strconv.FormatBool(j.turnUDP() != 0), t.get("enabled").place())
	if udp := t.get("udp_port"); udp.there() && udp.port() != turnPort {
		j.fixed("turn.udp_port", turnPort, "Forward UDP port 3478 in the router (ports.md).", udp)
	}
	low, high := t.get("relay_range_start"), t.get("relay_range_end")
	if low.port() != 0 && high.port() != 0 {
		j.say("relay-range", fmt.Sprintf("%d-%d", low.port(), high.port()), low.place())
	} else if j.turnUDP() != 0 {
		j.find(Finding{Verb: Add, What: "turn.relay_range_start and relay_range_end", Place: t.get("enabled").place(),
			Why:   "Without these settings TURN's relay uses UDP ports 30000-40000, which nothing published. setup gives the relay a small range: forward it in the router (ports.md).",
			Check: portsDone})
	}
	if t.get("tls_port").port() != 0 {
		j.turnTLS(t)
	}
}

// turnTLS takes over the TURN over TLS of the old deployment, if it worked
// there and setup needs no certificate for it. LiveKit sends clients to port
// 443 of turn.domain, whatever tls_port is. So TURN over TLS did not work if
// the reverse proxy has port 443 of that domain.
func (j *judge) turnTLS(t tree) {
	domain, at := strings.ToLower(t.get("domain").text()), t.get("tls_port").place()
	drop := func(why string) {
		j.find(Finding{Verb: Drop, What: "TURN over TLS, turn.tls_port " + t.get("tls_port").text(), Place: at,
			Why: why + " In the router, remove the rule for tls_port.", Check: portsDone})
	}
	switch {
	case domain == "":
		drop("turn.domain is missing, so LiveKit told no client about it.")
	case domain == j.public[0].host || domain == j.public[1].host:
		drop(fmt.Sprintf("LiveKit tells clients turns:%s:443, whatever tls_port is. But the reverse proxy has port 443 of that name, so this never worked. TURN over TLS needs another host name: --turn-tls.", domain))
	case t.get("external_tls").isTrue():
		j.say("turn-tls", domain, at)
		j.find(Finding{Verb: Change, What: "what ends TLS for " + domain, Place: at,
			Why:   "turn.external_tls says that a proxy in front of LiveKit ends TLS. That proxy must pass plain TCP on to port 5349 of this machine.",
			Check: fmt.Sprintf("`openssl s_client -connect %[1]s:443 -servername %[1]s </dev/null` shows a certificate of this name.", domain)})
	default:
		drop(fmt.Sprintf("setup needs the certificate: run setup again with --turn-tls %s --turn-cert FILE --turn-key FILE.", domain))
	}
}

// networks finds the homeserver's Docker network.
func (j *judge) networks() {
	if j.service == nil || j.of == nil {
		return
	}
	proxys, _ := j.service.label("docker.network")
	for _, name := range j.service.networks {
		n := j.of.get("networks", name)
		if !n.get("external").there() || n.get("external").text() == "false" {
			continue
		}
		real := cmp.Or(j.of.say(n.get("name")), j.of.say(n.get("external", "name")), name)
		if real == proxys.Value || j.of.isOf(j.sfu, name) { // the proxy reaches the containers over this network
			j.find(Finding{Verb: Add, What: "the network " + real, Place: n.place(),
				Why:   "The proxy reaches the containers in this network. Add it to both containers in compose.override.yaml: traefik.yaml.example or reverse-proxy.md has the lines. Put in this network's name.",
				Check: fmt.Sprintf("`docker network inspect %s` shows both containers.", real)})
			continue
		}
		j.say("homeserver-network", real, n.place())
	}
}

// isOf reports whether the container is in the network.
func (c *compose) isOf(s *container, network string) bool {
	if s == nil {
		return false
	}
	for _, n := range s.networks {
		if n == network {
			return true
		}
	}
	return false
}
