package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/service"
)

// from opens a connection to address. The client has the IP address ip, which
// must be a loopback address.
func from(ctx context.Context, ip, address string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return dialer.DialContext(ctx, "tcp", address)
}

// TestOneAddress checks that a client that attacks the service cannot keep
// other clients out. The attacker opens connections as fast as the service
// closes them, and sends slowly. It connects directly, or through a proxy that
// forwards slow bodies.
func TestOneAddress(t *testing.T) {
	binary := buildBinary(t)
	const slow = "POST /sfu/get HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
	for _, c := range []struct{ name, trusted, sent, other string }{
		{"nothing", "none", "", ""},
		{"half a header", "none", slow, ""},
		{"half a body", "none", slow + "\r\n{", ""},
		{"half a body through a proxy", "127.0.0.0/8", slow + "X-Forwarded-For: 192.0.2.1\r\n\r\n{", "X-Forwarded-For: 198.51.100.1\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startBinary(t, binary, "example.org=http://127.0.0.1:9", "LIVEKIT_TRUSTED_PROXIES="+c.trusted)
			attack(t, s.address, "127.0.0.2", c.sent)
			late := lag.Measure(t)
			var took []time.Duration
			for i := range 20 {
				took = append(took, timed(t, s.address, fmt.Sprintf("127.0.0.%d", 3+i%5), c.other))
			}
			slices.Sort(took)
			t.Logf("others: p50 %v, longest %v", took[10], took[19])
			if most := 3*time.Second + late(); took[19] > most {
				t.Errorf("another client: got a wait of %v, want at most %v", took[19], most)
			}
		})
	}
}

// attack starts clients that open more connections from ip than the service
// accepts, and write the text sent to each of them. The clients go on until the
// test ends. attack returns when every client has connected once. But the service
// may let some clients wait, so attack returns after two seconds at the latest.
func attack(t *testing.T, address, ip, sent string) {
	t.Helper()
	const clients = service.MaxConnections + 200
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { stop(); wg.Wait() })
	var held atomic.Int32
	all := make(chan struct{})
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				conn, err := from(ctx, ip, address)
				if held.Add(1) == clients {
					close(all)
				}
				if err == nil {
					hold(ctx, conn, sent)
				}
			}
		})
	}
	select {
	case <-all:
	case <-time.After(2 * time.Second):
	}
}

// hold sends a text and keeps the connection open until the service closes it.
// Then hold waits half a second, because a real attacker does not have endless
// processor time.
func hold(ctx context.Context, conn net.Conn, sent string) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, sent); err == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
	select {
	case <-ctx.Done():
	case <-time.After(500 * time.Millisecond):
	}
}

// timed returns how long a client at ip waits for an answer on a new
// connection. This client does not attack.
func timed(t *testing.T, address, ip, header string) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	conn, err := from(ctx, ip, address)
	if err != nil {
		t.Fatalf("%s: got %v, want no error", ip, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(start.Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n"+header+"Connection: close\r\n\r\n"); err != nil {
		t.Fatalf("%s: got %v, want no error", ip, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: got %v, want no error", ip, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s, want 200", ip, resp.Status)
	}
	return time.Since(start)
}

// TestCrowdMemory bounds the memory of the service while it has as many clients
// as it accepts. In each case, all clients are silent, all send slowly, or all
// never read.
func TestCrowdMemory(t *testing.T) {
	const most = 110_000_000
	const begin, body = "POST /sfu/get HTTP/1.1\r\nHost: x\r\n", "Content-Length: 65000\r\n\r\n"
	lines := strings.Repeat("X-A: "+strings.Repeat("b", 120)+"\r\n", 120)
	kinds := map[string]string{
		"silent":                      "",
		"a header unfinished":         begin + "X-Fill: " + strings.Repeat("x", 15<<10),
		"short header lines":          begin + strings.Repeat("X-A: b\r\n", 40),
		"many header lines":           begin + lines,
		"too many header lines":       begin + strings.Repeat("X-A: b\r\n", 15<<10/8),
		"a body unfinished":           begin + body + strings.Repeat(" ", 64000),
		"a small body unfinished":     begin + body + strings.Repeat(" ", 2000),
		"many lines, body unfinished": begin + lines + body + strings.Repeat(" ", 64000),
		"an answer unread":            "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"2000 requests at once":       strings.Repeat("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 2000),
	}
	endsAtOnce := map[string]bool{"too many header lines": true, "2000 requests at once": true}
	binary := buildBinary(t)
	for name, sent := range kinds {
		t.Run(name, func(t *testing.T) {
			s := startBinary(t, binary, "example.org=http://127.0.0.1:9", "LIVEKIT_TRUSTED_PROXIES=none")
			memory, files := crowd(t, s, sent)
			t.Logf("%d clients, of whom %d had a place at once: %d kB", service.MaxConnections, files, memory>>10)
			if memory > most {
				t.Errorf("%d clients: got %d kB, want at most %d", service.MaxConnections, memory>>10, most>>10)
			}
			if least := service.MaxConnections / 2; files < least && !endsAtOnce[name] {
				t.Errorf("connections open at once: got %d, want %d at least", files, least)
			}
		})
	}
}

// crowd connects service.MaxConnections clients from several networks, and each
// of them sends the same text. It returns the highest memory and the most open
// files of the service. It ends one second after the service has a connection
// to every client. It also ends if all clients have connected and the number of
// files has not grown for five seconds.
func crowd(t *testing.T, s *process, sent string) (memory, files int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	connected := make(chan struct{}, service.MaxConnections)
	for i := range service.MaxConnections {
		wg.Go(func() {
			conn, err := from(ctx, fmt.Sprintf("127.0.1.%d", i%8), s.address)
			connected <- struct{}{}
			if err != nil {
				t.Errorf("connection %d of %d: got %v, want no error", i, service.MaxConnections, err)
				return
			}
			defer conn.Close()
			_ = conn.(*net.TCPConn).SetReadBuffer(4096)
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if _, err := io.WriteString(conn, sent); err == nil {
				<-ctx.Done()
			}
		})
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	grown, full := time.Now(), time.Time{}
	for {
		<-look.C
		now := s.files(t)
		if now > files {
			files, grown = now, time.Now()
		}
		memory = max(memory, s.memory(t))
		if files >= service.MaxConnections && full.IsZero() {
			full = time.Now()
		}
		if !full.IsZero() && time.Since(full) >= time.Second || len(connected) == service.MaxConnections && time.Since(grown) >= 5*time.Second {
			return memory, files
		}
	}
}
