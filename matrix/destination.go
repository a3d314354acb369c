package matrix

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

const federationPort = "8448"

// Destination says where a server's federation API is. It also says which names
// a request to the API must use.
type Destination struct {
	Scheme  string   // "https"; "http" only if the operator set it
	Addrs   []string // the host:port pairs, in the order in which to try them
	Host    string   // the value of the Host header
	TLSName string   // the name that the certificate must hold
	FoundBy FoundBy  // the step of discovery that found the destination
	// Gap is the step of discovery that failed; "" if none failed. If a step
	// failed, the destination may be wrong, and Note describes the failure.
	Gap  Gap
	Note string
	Path string // the operator's prefix for the paths of requests, escaped; "" if there is none
}

// Gap is a step of discovery that failed. If several steps failed, Gap is the
// first one.
type Gap string

// These are the steps of discovery that can fail.
const (
	// GapUnread means that /.well-known/matrix/server returned neither a
	// document nor a 404.
	GapUnread Gap = "well_known_unread"
	// GapInvalid means that the well-known document exists, but names no
	// server.
	GapInvalid Gap = "well_known_invalid"
	// GapSRV means that DNS did not say whether there is an SRV record.
	GapSRV Gap = "srv"
)

// FoundBy is the step of discovery that found a destination.
type FoundBy string

// These are the values of FoundBy, in the order of the steps of discovery.
const (
	FoundByOverride     FoundBy = "override"       // a URL that the operator has set
	FoundByName         FoundBy = "server_name"    // an IP address or a port in the server name
	FoundByWellKnown    FoundBy = "well_known"     // /.well-known/matrix/server
	FoundByWellKnownSRV FoundBy = "well_known_srv" // an SRV record of the name in /.well-known/matrix/server
	FoundBySRV          FoundBy = "srv"            // an SRV record of the server name
	FoundByDefault      FoundBy = "default"        // no step found anything, so this is port 8448 of the server name
)

// same reports whether two destinations are the same place. It ignores the
// order of the addresses.
func (d Destination) same(other Destination) bool {
	return d.Scheme == other.Scheme && d.Host == other.Host && d.TLSName == other.TLSName && d.Path == other.Path &&
		(slices.Equal(d.Addrs, other.Addrs) || slices.Equal(sorted(d.Addrs), sorted(other.Addrs)))
}

func sorted(addrs []string) []string { return slices.Sorted(slices.Values(addrs)) }

// isExplicit reports whether the server name itself says where to connect
// (steps 1 and 2 of discovery).
func isExplicit(server ServerName) bool {
	_, isIP := server.IP()
	return isIP || server.Port() != ""
}

// direct returns the destination of server if there is no SRV record. If the
// server delegates, discovery calls direct with the delegated name. An SRV record
// changes the addresses of this destination, but not its Host and TLSName.
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

// overridden returns the destination for base. The operator has set this URL
// for a server in LIVEKIT_FEDERATION_URL_OVERRIDES. Such a server needs no
// discovery.
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
