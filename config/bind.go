package config

import (
	"net"
	"net/netip"
	"path"
	"strings"

	"matrixrtc-auth/internal/hostport"
)

// String returns the address in the form of LIVEKIT_JWT_BIND.
func (b Bind) String() string {
	if b.Network == "unix" {
		return "unix:" + b.Address
	}
	return b.Address
}

// listen returns the address to listen on. This is the value of v
// (LIVEKIT_JWT_BIND) or, if only LIVEKIT_JWT_PORT is set, every address of the
// machine with that port. If both variables are set, listen reports a fault.
func (j *judge) listen(v value) Bind {
	port := j.newest(j.withoutServiceLink(j.variable("LIVEKIT_JWT_PORT")), j.withoutServiceLink(j.variable("LK_JWT_PORT")))
	switch {
	case port.isSet() && v.isSet():
		j.fault(v, "both this variable and %s are set; remove one of the two", port.name)
	case port.isSet() && hostport.IsPort(port.get(), 1):
		return Bind{"tcp", ":" + plainPort(port.get())}
	case port.isSet():
		j.fault(port, "%s is not a port, a number from 1 to 65535; an address belongs in LIVEKIT_JWT_BIND", shown(port.get()))
	default:
		return j.bind(v)
	}
	return Bind{}
}

// withoutServiceLink returns port, the value of a variable. But if Kubernetes
// has set the variable, it returns an unset value. Kubernetes sets
// LIVEKIT_JWT_PORT or LK_JWT_PORT in every pod of a namespace that has a
// Service named "livekit-jwt" or "lk-jwt".
func (j *judge) withoutServiceLink(port value) value {
	if !strings.HasPrefix(port.get(), "tcp://") && !strings.HasPrefix(port.get(), "udp://") {
		return port
	}
	service := strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(port.name, "_PORT")), "_", "-")
	j.warn(port, ServiceLink, "%s is ignored: Kubernetes sets this variable in every pod of a namespace with a Service named %s; enableServiceLinks: false in the pod removes it", shown(port.get()), service)
	return value{name: port.name}
}

// metrics parses the address for metrics. This address must differ from the
// public address, because the metrics are not for everyone.
func (j *judge) metrics(v value, public Bind) Bind {
	if !v.isSet() {
		return Bind{}
	}
	b := j.bind(v)
	if b != (Bind{}) && collide(public, b) {
		j.fault(v, "this is the same address as LIVEKIT_JWT_BIND; metrics need another one, like 127.0.0.1:9090")
	}
	return b
}

func (j *judge) bind(v value) Bind {
	b, ok := parseBind(v.get())
	if !ok {
		j.fault(v, "%s is not an address to listen on; write :8080, host:8080, [::1]:8080 or unix:/path", shown(v.get()))
	}
	j.reachable(v, b)
	return b
}

func parseBind(text string) (Bind, bool) {
	if file, isUnix := strings.CutPrefix(text, "unix:"); isUnix {
		return unixBind(file)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || !hostport.IsHost(host) || !hostport.IsPort(port, 0) {
		return Bind{}, false
	}
	return Bind{"tcp", net.JoinHostPort(host, plainPort(port))}, true
}

func unixBind(file string) (Bind, bool) {
	const longest = 107 // the largest number of bytes in a socket's path on Linux
	file = path.Clean(file)
	if !path.IsAbs(file) || file == "/" || len(file) > longest || strings.ContainsFunc(file, invisible) {
		return Bind{}, false
	}
	return Bind{"unix", file}, true
}

// collide reports whether one process cannot listen on both addresses. Equal
// addresses collide. Addresses with the same port also collide if one of them
// means every address of the machine.
func collide(a, b Bind) bool {
	if a.Network != b.Network || a.Network == "unix" {
		return a == b
	}
	hostA, portA, _ := net.SplitHostPort(a.Address)
	hostB, portB, _ := net.SplitHostPort(b.Address)
	return portA == portB && portA != "0" && (hostA == hostB || everyAddress(hostA) || everyAddress(hostB))
}

func everyAddress(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}
