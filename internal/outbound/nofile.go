package outbound

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// IsNoFile reports whether err says that this process or the machine has no file
// left for a connection.
func IsNoFile(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// Names looks up names, and says when no file was left for a question to DNS: a
// [net.DNSError] does not hold what it came of. The zero value is ready. It must
// not be copied.
type Names struct {
	mu      sync.Mutex
	lookUps map[string]*lookUp
}

// lookUp is that of one name for several callers at a time. Its resolver is its
// own, because callers of a [net.Resolver] share questions: one of them would not
// know what had happened to a question before that one joined.
type lookUp struct {
	resolver net.Resolver
	callers  int
	short    atomic.Bool // no file was left for a question
}

// Ask has ask look up name, by a resolver that asks as resolver does (nil: Go's
// own, since the C library's reads "127.1" as an address). It returns the error of
// ask, as one that [IsNoFile] knows if no file was left for one of the questions.
// Those who ask for the same name at a time share their questions.
func (n *Names) Ask(resolver *net.Resolver, name string, ask func(*net.Resolver) error) error {
	l := n.join(resolver, name)
	defer n.leave(name, l)
	err := ask(&l.resolver)
	if _, ok := errors.AsType[*net.DNSError](err); ok && l.short.Load() {
		return &noFileError{err}
	}
	return err
}

// join returns the look-up of name that is under way, or a new one if there is
// none, or no file was left for that one.
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

// noFileError is an error of a look-up for which no file was left.
type noFileError struct{ error }

func (e *noFileError) Unwrap() []error { return []error{e.error, syscall.EMFILE} }
