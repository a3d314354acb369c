package matrix

import (
	"net"
	"net/url"
	"slices"
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
	FoundBy FoundBy  // what says so
	// Gap is what failed in finding it, so that this may be the wrong place; "" if
	// nothing did. Note says so in words.
	Gap  Gap
	Note string
	Path string // escaped prefix of the path, "" but for an operator's override
}

// Gap is a question about where a server is that got no good answer. Of several
// the first one counts.
type Gap string

// The questions.
const (
	// GapUnread: /.well-known/matrix/server gave neither a document nor a 404.
	GapUnread Gap = "well_known_unread"
	// GapInvalid: the document is there, and names no server.
	GapInvalid Gap = "well_known_invalid"
	// GapSRV: DNS did not say whether there is a SRV record.
	GapSRV Gap = "srv"
)

// FoundBy is what says where a server is.
type FoundBy string

// What can say it, in the order in which it is asked.
const (
	FoundByOverride     FoundBy = "override"       // the operator
	FoundByName         FoundBy = "server_name"    // an address or a port in it
	FoundByWellKnown    FoundBy = "well_known"     // /.well-known/matrix/server
	FoundByWellKnownSRV FoundBy = "well_known_srv" // and a SRV record of the name there
	FoundBySRV          FoundBy = "srv"            // a SRV record of the server name
	FoundByDefault      FoundBy = "default"        // nothing: port 8448 of the server name
)

// same reports whether d and other are one place, in whatever order its
// addresses are tried.
func (d Destination) same(other Destination) bool {
	return d.Scheme == other.Scheme && d.Host == other.Host && d.TLSName == other.TLSName && d.Path == other.Path &&
		(slices.Equal(d.Addrs, other.Addrs) || slices.Equal(sorted(d.Addrs), sorted(other.Addrs)))
}

func sorted(addrs []string) []string { return slices.Sorted(slices.Values(addrs)) }

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
		FoundBy: FoundByName,
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
		FoundBy: FoundByOverride,
		Path:    strings.TrimSuffix(base.EscapedPath(), "/"),
	}
}
