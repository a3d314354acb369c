package matrixtest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"matrixrtc-auth/matrix/matrixtest"
)

// TestCloseEndsClientsConnections checks that Close ends all goroutines of
// connections, even if a client still keeps a connection. If a goroutine
// remains, synctest.Test panics.
func TestCloseEndsClientsConnections(t *testing.T) {
	const server, mute = "a.test:443", "b.test:443"
	dial := func(t *testing.T, n *matrixtest.Network, addr string) {
		t.Helper()
		if _, err := n.Dial(t.Context(), "tcp", addr); err != nil {
			t.Errorf("dial %s: got %v, want a connection", addr, err)
		}
	}
	tests := map[string]func(t *testing.T, n *matrixtest.Network){
		"a connection that is kept":   func(t *testing.T, n *matrixtest.Network) { dial(t, n, server) },
		"a connection without answer": func(t *testing.T, n *matrixtest.Network) { n.Mute(mute); dial(t, n, mute) },
		"a frozen connection":         func(t *testing.T, n *matrixtest.Network) { dial(t, n, server); n.Freeze(server) },
	}
	for name, use := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := matrixtest.NewNetwork()
				n.Serve(server, http.NotFoundHandler())
				use(t, n)
				n.Close()
			})
		})
	}
	t.Run("a connection that is opened after Close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := matrixtest.NewNetwork()
			n.Mute(mute)
			n.Close()
			conn, err := n.Dial(context.Background(), "tcp", mute)
			if err != nil {
				t.Fatalf("dial %s: got %v, want a connection that is closed", mute, err)
			}
			if _, err := conn.Write([]byte("x")); err == nil {
				t.Error("writing after Close succeeded, want an error")
			}
		})
	})
}
