package redisstore

import (
	"net"
	"syscall"
	"testing"
)

// TestTracked checks that leaveOthers closes the connections to servers that are not
// the primary. It also checks that go-redis can test a connection before it uses the
// connection again.
func TestTracked(t *testing.T) {
	s := &sentinels{conns: map[*tracked]string{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	former, _ := net.Pipe()
	ended, _ := net.Pipe()
	kept := s.track(socket, "b:1")
	s.track(former, "a:1")
	if err := s.track(ended, "b:1").Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := kept.(syscall.Conn); !ok {
		t.Errorf("got a %T, want a syscall.Conn", kept)
	}
	s.leaveOthers("b:1")
	if _, err := former.Write([]byte("x")); err == nil {
		t.Error("writing to the former primary: got no error, want one, because the connection is closed")
	}
	if _, err := kept.Write([]byte("x")); err != nil {
		t.Errorf("the connection to the primary: got %v, want no error", err)
	}
	if len(s.conns) != 1 {
		t.Errorf("got %d tracked connections, want the 1 that is open", len(s.conns))
	}
	if err := kept.Close(); err != nil || len(s.conns) != 0 {
		t.Errorf("Close: got %v, and %d tracked connections, want no error and none", err, len(s.conns))
	}
}
