package outbound

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// IsNoFile reports whether err says that no file could be opened for a
// connection or a DNS query. In this case this process or the machine has no
// free file descriptor.
func IsNoFile(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// Names looks names up. If no file could be opened for a DNS query, its error says
// so. A [net.DNSError] does not say so. The zero value is ready. A Names must not be
// copied.
type Names struct {
	mu      sync.Mutex
	lookUps map[string]*lookUp
}

// lookUp is the look-up of one name for one or several callers. Each lookUp has
// a separate resolver. With a shared [net.Resolver], a caller might join a
// query that is already running. The caller would then not learn whether a file
// could be opened for that query.
type lookUp struct {
	resolver net.Resolver
	callers  int
	short    atomic.Bool // true if no file could be opened for a query
}

// Ask calls the function ask with a resolver of its own, which works like the
// argument resolver. The function ask must look up name with the resolver that it
// gets. Ask returns the error of ask. If the argument resolver is nil, ask gets one
// that works like Go's own resolver, because the C library would read "127.1" as an
// address. If no file could be opened for a query, [IsNoFile] is true for the error.
// Callers that look up the same name at the same time share the queries.
func (n *Names) Ask(resolver *net.Resolver, name string, ask func(*net.Resolver) error) error {
	l := n.join(resolver, name)
	defer n.leave(name, l)
	err := ask(&l.resolver)
	if _, ok := errors.AsType[*net.DNSError](err); ok && l.short.Load() {
		return &noFileError{err}
	}
	return err
}

// join returns the look-up of name that is in progress. If there is none, or if
// no file could be opened for one of its queries, join begins a new one.
func (n *Names) join(resolver *net.Resolver, name string) *lookUp {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.lookUps[name]
	if l == nil || l.short.Load() {
		l = newLookUp(resolver)
		if n.lookUps == nil {
			n.lookUps = make(map[string]*lookUp)
		}
		n.lookUps[name] = l
	}
	l.callers++
	return l
}

func (n *Names) leave(name string, l *lookUp) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.callers--; l.callers == 0 && n.lookUps[name] == l {
		delete(n.lookUps, name)
	}
}

func newLookUp(resolver *net.Resolver) *lookUp {
	if resolver == nil {
		resolver = &net.Resolver{PreferGo: true}
	}
	dial := resolver.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	l := &lookUp{resolver: net.Resolver{PreferGo: resolver.PreferGo, StrictErrors: resolver.StrictErrors}}
	l.resolver.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if IsNoFile(err) {
			l.short.Store(true)
		}
		return conn, err
	}
	return l
}

// noFileError is the error of a look-up for which no file could be opened.
type noFileError struct{ error }

func (e *noFileError) Unwrap() []error { return []error{e.error, syscall.EMFILE} }
