package matrix_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestNoFileIsNoAnswer checks a process that cannot open a socket, because it
// has too many open files. The process must learn nothing about the server, and
// must count no failure of a client. As soon as it can open a socket again, it
// must ask the server.
func TestNoFileIsNoAnswer(t *testing.T) {
	for name, named := range map[string][]string{"named": {"a.test"}, "a stranger's": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, named...)
				apex, hs := &matrixtest.Homeserver{}, &matrixtest.Homeserver{}
				apex.Delegate("b.test:443")
				w.Serve("a.test:443", apex)
				w.Serve("b.test:443", hs)
				var none atomic.Bool
				dial := func(ctx context.Context, network, address string) (net.Conn, error) {
					if none.Load() {
						return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.EMFILE}
					}
					return w.Dial(ctx, network, address)
				}
				w.resolver.NamedTransport.Dial, w.resolver.OtherTransport.Dial = dial, dial
				none.Store(true)
				for range 3 {
					_, err := w.verify(t, hs, "@alice:a.test")
					if e, ok := errors.AsType[*matrix.VerifyError](err); !ok || !e.SparesClient() || !errors.Is(err, syscall.EMFILE) {
						t.Errorf("without a file: %v, want an error that says so, and is nobody's failure", err)
					}
				}
				none.Store(false)
				if user, err := w.verify(t, hs, "@alice:a.test"); err != nil || user != "@alice:a.test" {
					t.Errorf("with files again: %q, %v, want the user", user, err)
				}
				none.Store(true)
				w.resolver.NamedTransport.CloseIdleConnections()
				w.resolver.OtherTransport.CloseIdleConnections()
				if _, err := w.verify(t, hs, "@alice:a.test"); !errors.Is(err, syscall.EMFILE) {
					t.Errorf("found, and without a file: %v, want an error that says so", err)
				}
				none.Store(false)
				time.Sleep(time.Millisecond)
				if user, err := w.verify(t, hs, "@alice:a.test"); err != nil || user != "@alice:a.test" {
					t.Errorf("found, and with files again: %q, %v, want the user", user, err)
				}
			})
		})
	}
}
