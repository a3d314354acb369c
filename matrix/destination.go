package matrix

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

const federationPort = "8448"

// Destination is where a server's federation API is, and the names to use
// there.
type Destination struct {
	Scheme  string   // "https", or "http" if the operator set it
	Addrs   []string // host:port, in the order to try
	Host    string   // the Host header
	TLSName string   // the name that the certificate must hold
	FoundBy FoundBy  // the step of discovery that found it
	// Gap is the step of discovery that failed, so that the destination may be
	// wrong; "" if none failed. Note describes the failure.
	Gap  Gap
	Note string
	Path string // escaped path prefix; "" except for an operator's override
}

// Gap is a step of discovery without a good answer. If several failed, it is
// the first.
type Gap string

// The steps that can fail.
const (
	// GapUnread: /.well-known/matrix/server returned neither a document nor a
	// 404.
	GapUnread Gap = "well_known_unread"
	// GapInvalid: the document exists, but names no server.
	GapInvalid Gap = "well_known_invalid"
	// GapSRV: DNS did not say whether there is a SRV record.
	GapSRV Gap = "srv"
)

// FoundBy is the step of discovery that found a destination.
type FoundBy string

// The steps of discovery, in their order.
const (
	FoundByOverride     FoundBy = "override"       // the operator's setting
	FoundByName         FoundBy = "server_name"    // the IP address or port in the server name
	FoundByWellKnown    FoundBy = "well_known"     // /.well-known/matrix/server
	FoundByWellKnownSRV FoundBy = "well_known_srv" // a SRV record of the name in /.well-known/matrix/server
	FoundBySRV          FoundBy = "srv"            // a SRV record of the server name
	FoundByDefault      FoundBy = "default"        // none: port 8448 of the server name
)

// same reports whether d and other are the same place. The order of the
// addresses does not matter.
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

// direct returns the destination that the name itself gives.
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

// overridden returns the destination that the operator's URL gives.
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
