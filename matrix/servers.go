package matrix

import "matrixrtc-auth/internal/outbound"

// Servers divides homeservers into two classes, those that the operator named
// and all others. Each class has its own connections, bounds and caches, so
// requests to strangers' servers take nothing from named servers.
type Servers struct {
	// Named reports whether the operator named the server. nil means that none is
	// named.
	Named func(ServerName) bool
	// NamedTransport carries every request to servers that the operator named.
	// OtherTransport carries every request to all other servers.
	NamedTransport, OtherTransport *outbound.Transport
}

// isNamed reports whether server is in the class of named servers. All code
// that treats the two classes differently calls it.
func (s Servers) isNamed(server ServerName) bool { return s.Named != nil && s.Named(server) }

// transport returns the transport of a class.
func (s Servers) transport(named bool) *outbound.Transport {
	if named {
		return s.NamedTransport
	}
	return s.OtherTransport
}

// pair holds two values, one for each class of servers.
type pair[T any] struct{ named, others T }

// of returns the value for a class.
func (p *pair[T]) of(named bool) *T {
	if named {
		return &p.named
	}
	return &p.others
}
