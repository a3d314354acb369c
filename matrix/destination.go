package matrix

import (
	"net"
	"net/url"
	"strings"
)

const federationPort = "8448"

// Destination is where and under which names a server's federation API is
// served.
type Destination struct {
	Scheme  string   // "https", or "http" where the operator said so
	Addrs   []string // host:port, in the order to try
	Host    string   // the Host header
	TLSName string   // the name that the certificate must hold
	// Note says why this may be the wrong place: what failed in finding it.
	Note string
	Path string // escaped prefix of the path, "" but for an operator's override
}

func sameAddrs(a, b Destination) bool {
	return strings.Join(a.Addrs, " ") == strings.Join(b.Addrs, " ")
}

// isExplicit reports whether the name itself says where to connect (steps 1
// and 2).
func isExplicit(server ServerName) bool {
	_, isIP := server.IP()
	return isIP || server.Port() != ""
}

// direct is the destination that the name itself gives.
func direct(server ServerName) Destination {
	host := strings.Trim(server.Host(), "[]")
	port := server.Port()
	if port == "" {
		port = federationPort
	}
	return Destination{
		Scheme:  "https",
		Addrs:   []string{net.JoinHostPort(host, port)},
		Host:    server.String(),
		TLSName: host,
	}
}

// overridden is the destination that the operator's URL gives.
func overridden(base *url.URL) Destination {
	port := base.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[base.Scheme]
	}
	return Destination{
		Scheme:  base.Scheme,
		Addrs:   []string{net.JoinHostPort(base.Hostname(), port)},
		Host:    base.Host,
		TLSName: base.Hostname(),
		Path:    strings.TrimSuffix(base.EscapedPath(), "/"),
	}
}
