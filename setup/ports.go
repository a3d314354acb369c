package setup

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ports is a range of ports from First to Last. The zero value is no range.
type ports struct{ First, Last int }

func (p ports) String() string {
	if p.First == p.Last {
		return strconv.Itoa(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

func (p ports) overlaps(q ports) bool { return p.First <= q.Last && q.First <= p.Last }

// outgoing is the range from which Linux, by default, chooses a port for an
// outgoing connection (net.ipv4.ip_local_port_range).
var outgoing = ports{32768, 60999}

// The ports that the deployment uses and that no flag changes.
const (
	sfuPort     = 7880
	tcpPort     = 7881
	turnPort    = 3478
	turnTLSPort = 5349
)

// ports checks each port of the deployment, and that no two programs use the
// same port.
func (b *planner) ports() {
	b.Media = value(b, "udp-range", b.udpRange, "like "+presetRange, parseRange)
	b.Relay = value(b, "relay-range", b.relayRange, "like "+presetRelay, parseRelayRange)
	b.JWTPort = value(b, "jwt-port", b.jwtPort, "like "+presetPort, parsePort)
	if !b.relays() && b.relayRange != presetRelay {
		b.note("--relay-range is for --turn and --turn-tls; without them nothing uses it")
	}
	claims := b.claims()
	for i, c := range claims {
		if c.protocol == "udp" && c.overlaps(outgoing) {
			b.note("--%s %s has ports of %s, which Linux uses for outgoing connections: if Linux has taken one of these ports, the container does not start", c.flag, c.ports, outgoing)
		}
		for _, other := range claims[:i] {
			b.refuseOverlap(c, other)
		}
	}
}

// relays reports whether LiveKit is to offer TURN, over UDP or over TLS.
func (b *planner) relays() bool { return b.turn || b.turnTLS != "" }

// claim is a program's use of ports of the machine. No other program may use
// the same ports.
type claim struct {
	ports
	protocol string // "tcp" or "udp": programs may use the same port with different protocols
	who      string
	flag     string // the flag that changes the ports; "" if no flag changes them
}

// claims returns which ports each program of the deployment uses. The ports that no
// flag changes are first in the list.
func (b *planner) claims() (list []claim) {
	add := func(p ports, protocol, who, flag string) {
		if p != (ports{}) {
			list = append(list, claim{p, protocol, who, flag})
		}
	}
	add(ports{80, 80}, "tcp", "the reverse proxy and Let's Encrypt", "")
	add(ports{443, 443}, "tcp", "the reverse proxy", "")
	add(ports{sfuPort, sfuPort}, "tcp", "LiveKit", "")
	add(ports{tcpPort, tcpPort}, "tcp", "LiveKit's media over TCP", "")
	if b.turn {
		add(ports{turnPort, turnPort}, "udp", "TURN", "")
	}
	if b.turnTLS != "" {
		add(ports{turnTLSPort, turnTLSPort}, "tcp", "TURN over TLS", "")
	}
	for _, p := range slices.Compact(b.homeserverPorts()) {
		add(p, "tcp", "the homeserver, as --homeserver-url says", "homeserver-url")
	}
	add(ports{b.JWTPort, b.JWTPort}, "tcp", "this service", "jwt-port")
	add(b.Media, "udp", "media", "udp-range")
	if b.relays() {
		add(b.Relay, "udp", "TURN's relay", "relay-range")
	}
	return list
}

// homeserverPorts returns the ports of homeservers on this machine that
// --homeserver-url names. It leaves out 80 and 443, because the reverse proxy
// has them.
func (b *planner) homeserverPorts() (list []ports) {
	for _, server := range b.Servers {
		u, err := url.Parse(b.HomeserverURLs[server])
		if err != nil || u.Hostname() != "host.docker.internal" || !isPort(u.Port()) || u.Port() == "80" || u.Port() == "443" {
			continue
		}
		port, _ := strconv.Atoi(u.Port()) // isPort has checked that this is a number
		list = append(list, ports{port, port})
	}
	return list
}

// refuseOverlap records a fault if c and other claim the same port, because
// only one of the two programs could start.
func (b *planner) refuseOverlap(c, other claim) {
	if c.protocol != other.protocol || !c.overlaps(other.ports) || c.flag == "" {
		return
	}
	switch {
	case c.First == c.Last:
		b.fault(c.flag, "%s is already the port of %s; write another port", c.ports, other.who)
	case other.flag != "":
		b.fault(c.flag, "%s overlaps --%s %s, which are the ports of %s; write another range for one of the two", c.ports, other.flag, other.ports, other.who)
	default:
		b.fault(c.flag, "%s contains port %s, which is already the port of %s; write another range", c.ports, other.ports, other.who)
	}
}

// parsePort parses a port number from 1 to 65535. An error proposes a number
// to write instead, if parsePort can guess it.
func parsePort(text string) (int, error) {
	if isPort(text) {
		return strconv.Atoi(text)
	}
	number := strings.TrimLeft(text, "0")
	_, behind, hasColon := strings.Cut(text, ":")
	switch {
	case isPort(number):
		return 0, fmt.Errorf("%.80q begins with a zero; write %s", text, number)
	case hasColon && isPort(behind):
		return 0, fmt.Errorf("%.80q has an address in front of the port; write only %s", text, behind)
	case text != "" && strings.Trim(text, "0123456789") == "":
		return 0, fmt.Errorf("%.80q is not a port: ports go from 1 to 65535", text)
	}
	return 0, fmt.Errorf("%.80q is not a port; write a number like %s", text, presetPort)
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && text[0] != '0'
}

// The smallest and the largest number of ports in a range. A range has an upper
// bound, because Docker needs resources for each port.
const (
	fewestPorts = 10
	mostPorts   = 2000
)

// parseRange parses FIRST-LAST, the UDP ports for media.
func parseRange(text string) (ports, error) { return rangeLike(presetRange, text) }

// parseRelayRange parses FIRST-LAST, the UDP ports of TURN's relay.
func parseRelayRange(text string) (ports, error) { return rangeLike(presetRelay, text) }

// dashes replaces the other characters that people write between the two ends of
// a range by a hyphen.
var dashes = strings.NewReplacer("–", "-", "—", "-", ":", "-", "..", "-")

// rangeLike parses FIRST-LAST. It refuses ports below 1024, which other
// programs use. example is a valid range for the error.
func rangeLike(example, text string) (ports, error) {
	fault := func(what string) (ports, error) {
		return ports{}, fmt.Errorf("%.80q %s; write a range like %s", text, what, example)
	}
	first, last, isRange := strings.Cut(text, "-")
	p := ports{number(first), number(last)}
	switch size := p.Last - p.First + 1; {
	case !isRange && isPort(text):
		return fault("is one port, not a range")
	case p.First < 0 || p.Last < 0:
		if other := dashes.Replace(text); other != text && isRangeOf(other) {
			return ports{}, fmt.Errorf("%.80q has a dash or another separator instead of a hyphen; write %s", text, other)
		}
		return fault("is not a range")
	case p.First > 65535 || p.Last > 65535 || p.Last == 0:
		return fault("is not a range of ports, which go to 65535")
	case p.First < 1024:
		return fault("begins below 1024, where other programs are")
	case p.Last < p.First:
		return fault("ends before it begins")
	case size < fewestPorts:
		return fault("is too small: each participant takes ports")
	case size > mostPorts:
		return fault(fmt.Sprintf("has more than %d ports, which slows Docker down", mostPorts))
	}
	return p, nil
}

// number parses a text of one to five digits. It returns -1 for any other text,
// because such a text is no port number.
func number(digits string) int {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return -1
	}
	n, err := strconv.Atoi(digits[:min(len(digits), 6)])
	if err != nil {
		return -1
	}
	return n
}

// isRangeOf reports whether text consists of two numbers with a hyphen between
// them.
func isRangeOf(text string) bool {
	first, last, _ := strings.Cut(text, "-")
	return number(first) > 0 && number(last) > 0
}
