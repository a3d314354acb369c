package doctor

import (
	"fmt"
	"strings"

	"matrixrtc-auth/doctor/engine"
)

// LiveKit's default ports.
const (
	livekitPort      = 7880
	livekitTCPPort   = 7881
	livekitDevPort   = 7882 // the only port for media over UDP if livekit.yaml has development: true
	livekitFirstPort = 50000
	livekitLastPort  = 60000

	livekitFirstRelay   = 30000
	livekitLastRelay    = 40000
	livekitLastDevRelay = 30002 // the last port of TURN's relay if livekit.yaml has development: true
)

// If livekit.yaml does not name a port, complete sets that port to LiveKit's
// default.
func (c *livekitConfig) complete() {
	if c.Port == 0 {
		c.Port = livekitPort
	}
	if c.RTC.TCPPort == nil {
		port := livekitTCPPort
		c.RTC.TCPPort = &port
	}
	if t := &c.TURN; t.RelayFirst == 0 || t.RelayLast == 0 {
		t.RelayFirst, t.RelayLast = livekitFirstRelay, livekitLastRelay
		if c.Development {
			t.RelayLast = livekitLastDevRelay
		}
	}
	switch {
	case c.hasUDPPort() || c.RTC.First != 0:
	case c.Development:
		c.RTC.UDPPort = livekitDevPort
	default:
		c.RTC.First, c.RTC.Last = livekitFirstPort, livekitLastPort
	}
}

// ports returns LiveKit's ports, as values for the placeholders in remedies. It
// returns no values if livekit.yaml was not read.
func (c *livekitConfig) ports() engine.Vars {
	known := engine.Vars{}
	if c.Port == 0 { // no port is known, so livekit.yaml was not read
		return known
	}
	known["sfu_port"] = fmt.Sprint(c.Port)
	if *c.RTC.TCPPort != 0 {
		known["tcp_port"] = fmt.Sprint(*c.RTC.TCPPort)
	}
	switch {
	case c.hasUDPPort():
		known["udp_ports"] = fmt.Sprintf("%v/udp", c.RTC.UDPPort)
	case c.RTC.First != 0:
		known["udp_ports"] = fmt.Sprintf("%d-%d/udp", c.RTC.First, c.RTC.Last)
	}
	switch {
	case c.TURN.UDPPort != 0:
		known["turn_port"] = fmt.Sprintf("%d/udp", c.TURN.UDPPort)
	case c.TURN.TLSPort != 0: // clients use port 443 for TURN over TLS, whatever port LiveKit listens on
		known["turn_port"] = "443/tcp"
	}
	if c.TURN.Enabled {
		known["relay_ports"] = fmt.Sprintf("%d-%d/udp", c.TURN.RelayFirst, c.TURN.RelayLast)
	}
	return known
}

// hasUDPPort reports whether udp_port is set in livekit.yaml. Then all media
// goes over the one or few ports that udp_port names.
func (c *livekitConfig) hasUDPPort() bool { return c.RTC.UDPPort != nil && c.RTC.UDPPort != 0 }

// judgePorts returns a fault if two settings of livekit.yaml use one port, or if
// rtc.udp_port and a range are both set. It warns if LiveKit takes no media over
// TCP (rtc.tcp_port is 0).
func judgePorts(c *livekitConfig) engine.Finding {
	r, t := c.RTC, c.TURN
	udp, _ := r.UDPPort.(int)
	switch {
	case c.hasUDPPort() && (r.First != 0 || r.Last != 0):
		return found("livekit-udp-both", nil, "rtc.udp_port is %v, and port_range_start is %d", r.UDPPort, r.First)
	case *r.TCPPort == 0:
		return found("livekit-tcp-off", nil, "rtc.tcp_port is 0")
	case *r.TCPPort == int(c.Port):
		return found("livekit-ports-clash", nil, "port and rtc.tcp_port are both %d", c.Port)
	case t.Enabled && t.TLSPort != 0 && (t.TLSPort == int(c.Port) || t.TLSPort == *r.TCPPort):
		return found("livekit-ports-clash", nil, "turn.tls_port %d is taken by another of LiveKit's ports", t.TLSPort)
	case t.Enabled && t.UDPPort != 0 && (t.UDPPort == udp || r.First <= t.UDPPort && t.UDPPort <= r.Last):
		return found("livekit-ports-clash", nil, "turn.udp_port %d is one of the media ports", t.UDPPort)
	}
	if f := judgeRelays(c); isFault(f) {
		return f
	}
	return ok("no port is used twice")
}

// judgeRelays checks whether the ports of TURN's relay overlap other UDP
// ports.
func judgeRelays(c *livekitConfig) engine.Finding {
	t, udp := c.TURN, 0
	if port, single := c.RTC.UDPPort.(int); single {
		udp = port
	}
	relays := func(first, last int) bool { return first != 0 && first <= t.RelayLast && t.RelayFirst <= last }
	switch {
	case !t.Enabled:
	case t.RelayFirst > t.RelayLast:
		return found("livekit-ports-clash", nil, "turn.relay_range_start is %d, relay_range_end %d: no port lies between", t.RelayFirst, t.RelayLast)
	case relays(c.RTC.First, c.RTC.Last):
		return found("livekit-ports-clash", nil, "the media ports %d-%d and the relay ports %d-%d overlap", c.RTC.First, c.RTC.Last, t.RelayFirst, t.RelayLast)
	case relays(udp, udp), relays(t.UDPPort, t.UDPPort):
		return found("livekit-ports-clash", nil, "rtc.udp_port %d or turn.udp_port %d is one of the relay ports %d-%d", udp, t.UDPPort, t.RelayFirst, t.RelayLast)
	}
	return engine.Finding{}
}

// Linux takes the ports of outgoing connections from the range in
// ephemeralFile. It leaves out the ports in reservedFile.
const (
	ephemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"
	reservedFile  = "/proc/sys/net/ipv4/ip_local_reserved_ports"
)

// judgeRange warns if Linux assigns some of the media ports to outgoing
// connections. Linux does so for the ports in ephemeralFile, except those in
// reservedFile. The usual range is 32768 to 60999. While an outgoing connection
// has a port, media through that port fails.
func (e livekitFile) judgeRange(c *livekitConfig) engine.Finding {
	if c.RTC.First == 0 {
		return na("there is no range of media ports")
	}
	text, err := e.look.ReadFile(ephemeralFile)
	if err != nil {
		return na("%s cannot be read here", ephemeralFile)
	}
	low, high := 0, 0
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		return na("%s holds no range", ephemeralFile)
	}
	list, _ := e.look.ReadFile(reservedFile) // if there is no such file, no port is reserved
	reserved := strings.TrimSpace(string(list))
	seen := fmt.Sprintf("media ports %d-%d, ports of outgoing connections %d-%d", c.RTC.First, c.RTC.Last, low, high)
	if reserved != "" {
		seen += " without " + clip(reserved)
	}
	if !covers(reserved, max(c.RTC.First, low), min(c.RTC.Last, high)) {
		return found("livekit-range-ephemeral", engine.Vars{"range": fmt.Sprintf("%d-%d", c.RTC.First, c.RTC.Last)}, "%s", seen)
	}
	return ok("%s", seen)
}

// covers reports whether list contains all ports from first to last. list has
// the kernel's form, in ascending order, like "8080,50000-50200".
func covers(list string, first, last int) bool {
	for entry := range strings.SplitSeq(list, ",") {
		var from, to int
		switch n, _ := fmt.Sscanf(entry, "%d-%d", &from, &to); n {
		case 0:
			continue
		case 1:
			to = from
		}
		if from <= first {
			first = max(first, to+1)
		}
	}
	return first > last
}
