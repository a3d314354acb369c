package redisstore

import (
	"net"
	"syscall"
	"testing"
)

// TestTracked: connections to another server than the primary are closed, and
// go-redis can look at a socket before it uses it again.
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
		t.Error("a connection to the former primary is open: got no error, want one")
	}
	if _, err := kept.Write([]byte("x")); err != nil {
		t.Errorf("the connection to the primary: got %v, want no error", err)
	}
	if len(s.conns) != 1 {
		t.Errorf("%d connections are known, want the one that is open", len(s.conns))
	}
	if err := kept.Close(); err != nil || len(s.conns) != 0 {
		t.Errorf("closed: %v, %d connections are known, want none", err, len(s.conns))
	}
}
