package matrix

import "matrixrtc-auth/internal/outbound"

// Servers divides homeservers into two classes: those that the operator named,
// and all others. Each class has its own connections, bounds and caches. So
// requests to other servers take no capacity from the servers that the operator
// named.
type Servers struct {
	// Named reports whether the operator named the server. If Named is nil, the
	// operator has named no server.
	Named func(ServerName) bool
	// NamedTransport carries every request to servers that the operator named.
	// OtherTransport carries every request to all other servers.
	NamedTransport, OtherTransport *outbound.Transport
}

// isNamed reports whether the operator named server. Code that treats such servers
// differently from all others must ask isNamed, and must not decide this itself.
func (s Servers) isNamed(server ServerName) bool { return s.Named != nil && s.Named(server) }

// transport returns the transport for the class of servers that the operator
// named, or for the class of all others.
func (s Servers) transport(named bool) *outbound.Transport {
	if named {
		return s.NamedTransport
	}
	return s.OtherTransport
}

// pair holds two values: one for the servers that the operator named, and one
// for all others.
type pair[T any] struct{ named, others T }

// of returns a pointer to the value for named servers if named is true, or else to
// the value for all others.
func (p *pair[T]) of(named bool) *T {
	if named {
		return &p.named
	}
	return &p.others
}
