package stack

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// echo starts a server that sends each line back. It returns the server's address.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// TestTCPRelay checks that the relay holds data back after Cut, and delivers it after
// Restore.
func TestTCPRelay(t *testing.T) {
	host := NewHost(t.TempDir())
	defer host.Close()
	relay := &TCPRelay{Host: host, Target: echo(t)}
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	defer relay.Stop()
	conn, err := net.Dial("tcp", relay.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	ask := func(text string) {
		if _, err := fmt.Fprintln(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	get := func(within time.Duration) (string, error) {
		conn.SetReadDeadline(time.Now().Add(within))
		return answers.ReadString('\n')
	}
	ask("one")
	if got, err := get(10 * time.Second); got != "one\n" {
		t.Fatalf("got %q, %v, want %q", got, err, "one\n")
	}
	relay.Cut()
	ask("two")
	if got, err := get(300 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("through a cut: got %q, %v, want %v", got, err, os.ErrDeadlineExceeded)
	}
	relay.Restore()
	if got, err := get(10 * time.Second); got != "two\n" {
		t.Fatalf("got %q, %v, want %q", got, err, "two\n")
	}
}

// TestUDPRelay cuts one client off. The relay must drop the datagrams of this client and
// of clients that come later. The datagrams of a client that came earlier must still
// arrive.
func TestUDPRelay(t *testing.T) {
	host := NewHost(t.TempDir())
	defer host.Close()
	port, err := host.ports(1)
	if err != nil {
		t.Fatal(err)
	}
	sfu, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer sfu.Close()
	relay := &UDPRelay{Port: port}
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	defer relay.Stop()
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := sfu.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			sfu.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	reached := func(client *net.UDPConn, within time.Duration) bool {
		buffer := make([]byte, 100)
		client.Write([]byte("hello"))
		client.SetReadDeadline(time.Now().Add(within))
		n, err := client.Read(buffer)
		return err == nil && string(buffer[:n]) == "hello"
	}
	alice, bob, late := dialRelay(t, port), dialRelay(t, port), dialRelay(t, port)
	if !reached(alice, 10*time.Second) || !reached(bob, 10*time.Second) {
		t.Fatal("Alice and Bob: got no answer, want one of each")
	}
	hers := alice.LocalAddr().(*net.UDPAddr).AddrPort()
	if !slices.Contains(relay.Clients(), hers) {
		t.Fatalf("Clients: got %v, want Alice's %v among them", relay.Clients(), hers)
	}
	relay.Cut([]netip.AddrPort{hers})
	if reached(alice, 300*time.Millisecond) || reached(late, 300*time.Millisecond) || !reached(bob, 10*time.Second) {
		t.Fatal("after a cut of Alice: got an answer to her or to a new client, or none to Bob; want Bob's alone")
	}
	relay.Restore()
	if !reached(alice, 10*time.Second) || !reached(late, 10*time.Second) {
		t.Fatal("after the cut: got no answer, want one of each")
	}
}

// TestUDPRelayStops checks that a relay can stop while datagrams of new clients arrive.
func TestUDPRelayStops(t *testing.T) {
	host := NewHost(t.TempDir())
	defer host.Close()
	port, err := host.ports(1)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		relay := &UDPRelay{Port: port}
		if err := relay.Start(); err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		for range 20 {
			client := dialRelay(t, port)
			clients.Go(func() { client.Write([]byte("hello")) })
		}
		stopped := make(chan struct{})
		go func() { relay.Stop(); close(stopped) }()
		select {
		case <-stopped:
		case <-time.After(10 * time.Second):
			t.Fatal("10 s after Stop: got the relay running, want it ended")
		}
		clients.Wait()
	}
}

// TestUDPRelayStopped checks that a stopped relay opens no socket for a new client.
func TestUDPRelayStopped(t *testing.T) {
	host := NewHost(t.TempDir())
	defer host.Close()
	port, err := host.ports(1)
	if err != nil {
		t.Fatal(err)
	}
	relay := &UDPRelay{Port: port}
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	relay.Stop()
	if flow := relay.flow(netip.MustParseAddrPort("127.0.0.1:1")); flow != nil {
		flow.Close()
		t.Error("flow after Stop: got one, want none")
	}
}

func dialRelay(t *testing.T, port int) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
