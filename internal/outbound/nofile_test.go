package outbound_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"matrixrtc-auth/internal/outbound"
	_ "matrixrtc-auth/matrix/matrixtest" // prepares Go's resolver for synctest
)

// questions is a resolver's connection that gives no answers. It counts the
// questions, and holds one back.
type questions struct {
	mu    sync.Mutex
	asked int
	held  int           // the number of the question that is held back; 0 for none
	until chan struct{} // closed when that question may go on
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

// begin starts to count at 0 again, and returns the count until then.
func (q *questions) begin() (asked int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked, q.asked = q.asked, 0
	return asked
}

// TestLateLookUps makes a second caller look up a name while the last question
// of the first caller's look-up is in progress. Each caller must learn that no
// file could be opened if that was so for its questions, even if the first
// caller has left.
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
		leaves        bool // whether the first caller leaves
		early, noFile bool // whether each caller learns that no file could be opened
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
