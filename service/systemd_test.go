package service

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// socketFile returns a listening socket as a file. systemd passes sockets to a
// process in this form.
func socketFile(t *testing.T, network, address string) *os.File {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var f *os.File
	switch l := l.(type) {
	case *net.TCPListener:
		f, err = l.File()
	case *net.UnixListener:
		l.SetUnlinkOnClose(false)
		f, err = l.File()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestInherit(t *testing.T) {
	for name, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "socket")} {
		t.Run(name, func(t *testing.T) {
			l, err := inherit([]*os.File{socketFile(t, name, address)})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c, err := net.Dial(name, l.Addr().String())
			if err != nil {
				t.Fatalf("connecting to the socket: got %v, want no error", err)
			}
			defer c.Close()
			accepted, err := l.Accept()
			if err != nil {
				t.Fatalf("got %v, want a connection", err)
			}
			accepted.Close()
		})
	}
}

func TestInheritNothing(t *testing.T) {
	if l, err := inherit(nil); l != nil || err != nil {
		t.Errorf("without sockets: got %v, %v, want neither a listener nor an error", l, err)
	}
}

// TestInheritFaults checks sockets from systemd that the service cannot use.
// The error must name the setting that the socket unit needs.
func TestInheritFaults(t *testing.T) {
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packet.Close()
	udp, err := packet.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]*os.File{
		"two sockets":       {socketFile(t, "tcp", "127.0.0.1:0"), socketFile(t, "tcp", "127.0.0.1:0")},
		"a datagram socket": {udp},
		"no socket":         {null},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := inherit(files)
			if err == nil || !strings.Contains(err.Error(), "ListenStream") {
				t.Errorf("got %v, %v, want an error that names ListenStream", l, err)
			}
		})
	}
}

func TestSameBind(t *testing.T) {
	tcp := func(ip string, port int) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: port} }
	for _, tt := range []struct {
		bind config.Bind
		addr net.Addr
		want bool
	}{
		{config.Bind{Network: "tcp", Address: "127.0.0.1:8080"}, tcp("127.0.0.1", 8080), true},
		{config.Bind{Network: "tcp", Address: ":8080"}, tcp("127.0.0.1", 8080), true},
		{config.Bind{Network: "tcp", Address: "127.0.0.1:8080"}, tcp("::", 8080), true},
		{config.Bind{Network: "tcp", Address: "127.0.0.1:8081"}, tcp("127.0.0.1", 8080), false},
		{config.Bind{Network: "tcp", Address: "10.0.0.1:8080"}, tcp("127.0.0.1", 8080), false},
		{config.Bind{Network: "unix", Address: "/run/a"}, &net.UnixAddr{Net: "unix", Name: "/run/a"}, true},
		{config.Bind{Network: "unix", Address: "/run/a"}, &net.UnixAddr{Net: "unix", Name: "/run/b"}, false},
		{config.Bind{Network: "tcp", Address: ":8080"}, &net.UnixAddr{Net: "unix", Name: "/run/b"}, false},
	} {
		t.Run(fmt.Sprint(tt.bind), func(t *testing.T) {
			if got := sameBind(tt.bind, tt.addr); got != tt.want {
				t.Errorf("LIVEKIT_JWT_BIND %v, socket %v: got %v, want %v", tt.bind, tt.addr, got, tt.want)
			}
		})
	}
}
