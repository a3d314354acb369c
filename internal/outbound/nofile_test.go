package outbound_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"matrixrtc-auth/internal/outbound"
	_ "matrixrtc-auth/matrix/matrixtest" // this import prepares Go's resolver for synctest
)

// questions makes a resolver whose DNS questions all fail. It counts the questions,
// and can delay one of them.
type questions struct {
	mu    sync.Mutex
	asked int
	held  int           // the number of the DNS question to delay, counted from 1; 0 for none
	until chan struct{} // closed when the delayed question may go on
	fails func(n int) error
}

func (q *questions) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
		q.mu.Lock()
		q.asked++
		n, held := q.asked, q.asked == q.held
		q.mu.Unlock()
		if held {
			<-q.until
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: q.fails(n)}
	}}
}

// begin sets the count of questions to 0, and returns the count before that.
func (q *questions) begin() (asked int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked, q.asked = q.asked, 0
	return asked
}

// TestLateLookUps checks a second caller who looks up a name during the last
// DNS question of the first caller's look-up. If no file could be opened for a
// caller's questions, the caller's error must say so. This must hold even if
// the first caller has left.
func TestLateLookUps(t *testing.T) {
	noFile := func(int) error { return syscall.EMFILE }
	first := func(n int) error {
		if n == 1 {
			return syscall.EMFILE
		}
		return syscall.ECONNREFUSED
	}
	for name, c := range map[string]struct {
		fails         func(n int) error
		leaves        bool // whether the first caller leaves before the end
		early, noFile bool // whether the first caller (early) and the second caller (noFile) must learn that no file could be opened
	}{
		"no file for any":       {fails: noFile, early: true, noFile: true},
		"no file for the first": {fails: first, early: true},
		"a file for all":        {fails: func(int) error { return syscall.ECONNREFUSED }},
		"the first one leaves":  {fails: noFile, leaves: true, early: true, noFile: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &questions{fails: c.fails, until: make(chan struct{})}
				dialer := &outbound.Dialer{Resolver: q.resolver()}
				dial := func(ctx context.Context) <-chan error {
					done := make(chan error, 1)
					go func() {
						_, err := dialer.DialContext(ctx, "tcp", "nobody.test:443")
						done <- err
					}()
					synctest.Wait()
					return done
				}
				<-dial(t.Context())
				q.held = q.begin()
				leaving, leave := context.WithCancel(t.Context())
				early, late := dial(leaving), dial(t.Context())
				if c.leaves {
					leave()
					synctest.Wait()
				}
				close(q.until)
				if err := <-early; outbound.IsNoFile(err) != c.early {
					t.Errorf("early: got %v, want one that says that no file was left: %t", err, c.early)
				}
				if err := <-late; outbound.IsNoFile(err) != c.noFile {
					t.Errorf("late: got %v, want one that says that no file was left: %t", err, c.noFile)
				}
				leave()
			})
		})
	}
}
