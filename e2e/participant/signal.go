package participant

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// goodbye is how long a signal connection stays open after the participant has left.
const goodbye = 300 * time.Millisecond

// useSignals makes LiveKit's SDK use [signal] for its connections to the SFU.
var useSignals = sync.OnceFunc(func() {
	d := *websocket.DefaultDialer
	d.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &signal{Conn: conn}, nil
	}
	websocket.DefaultDialer = &d
})

// signal is a connection for LiveKit's signal protocol. LiveKit's SDK says on it that
// the participant leaves, and closes it immediately. The SFU then loses about one such
// message in fifty, and notices some 20 s late that the participant is gone. So Close
// waits before it closes an open connection.
type signal struct {
	net.Conn
	ended atomic.Bool // whether nothing more can be read
}

func (s *signal) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil {
		s.ended.Store(true)
	}
	return n, err
}

func (s *signal) Close() error {
	if !s.ended.Load() {
		time.Sleep(goodbye)
	}
	return s.Conn.Close()
}
