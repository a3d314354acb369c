package matrix

import "matrixrtc-auth/internal/outbound"

// Servers divides homeservers into two classes, those that the operator named
// and all others, and reaches each class over connections of its own. The classes
// share nothing: what strangers have this service do takes nothing from the named.
type Servers struct {
	// Named reports whether the operator named the server; nil names none.
	Named func(ServerName) bool
	// NamedTransport and OtherTransport carry every request to servers that
	// the operator named, and to all others.
	NamedTransport, OtherTransport *outbound.Transport
}

// isNamed reports the class of server. Nothing else decides it.
func (s Servers) isNamed(server ServerName) bool { return s.Named != nil && s.Named(server) }

// transport returns that of a class.
func (s Servers) transport(named bool) *outbound.Transport {
	if named {
		return s.NamedTransport
	}
	return s.OtherTransport
}

// pair holds one T for each class of servers: what is remembered of them, and
// what bounds the requests to them.
type pair[T any] struct{ named, others T }

// of returns that of a class.
func (p *pair[T]) of(named bool) *T {
	if named {
		return &p.named
	}
	return &p.others
}
