package service

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/connlimit"
)

// waitTime is how long a test waits for an event before the test fails.
const waitTime = 30 * time.Second

// startServer serves h as the program does, and returns the server's address.
// If change is set, it can change the timeouts of the server.
func startServer(t *testing.T, h http.Handler, limit int, answer func(int, net.Addr) []byte, change func(*http.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(h, slog.New(slog.DiscardHandler))
	if change != nil {
		change(server)
	}
	ended := make(chan error)
	bounded := connlimit.New(listener, connlimit.Options{Limit: limit, ArrivalTime: server.ReadTimeout, Answer: answer, Log: slog.New(slog.DiscardHandler)})
	go func() { ended <- bounded.Serve(server) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: got %v, want %v", err, http.ErrServerClosed)
		}
	})
	return listener.Addr().String()
}

func hello(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, "hello")
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// get sends GET / over conn, and returns the status of the answer. It returns 0
// if the connection ends without an answer.
func get(t *testing.T, conn net.Conn, header string) int {
	t.Helper()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", header)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// TestHeaderLimit checks requests with headers that are too large. However
// large they are, the client must get the 431 of this service, which web pages
// may read.
func TestHeaderLimit(t *testing.T) {
	h := &handler.Handler{Log: slog.New(slog.DiscardHandler)}
	address := startServer(t, h.Routes(), 10, h.Refuse, nil)
	for _, c := range []struct {
		bytes int // the size of the request line and all headers
		want  int
	}{{15 << 10, 200}, {maxHeaderBytes, 200}, {maxHeaderBytes + 1, 431}, {20 << 10, 431}, {40 << 10, 431}, {300 << 10, 431}} {
		t.Run(fmt.Sprint(c.bytes), func(t *testing.T) {
			const begin, end = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Fill: ", "\r\n\r\n"
			conn := connect(t, address)
			if _, err := io.WriteString(conn, begin+strings.Repeat("x", c.bytes-len(begin+end))+end); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.want {
				t.Fatalf("%d %s (%v), want %d", resp.StatusCode, body, err, c.want)
			}
			const refusal = `{"errcode":"M_TOO_LARGE","error":"The headers are too large"}`
			if c.want == 431 && string(body) != refusal {
				t.Errorf("%s, want %s", body, refusal)
			}
			if origin := resp.Header.Values("Access-Control-Allow-Origin"); !slices.Equal(origin, []string{"*"}) {
				t.Errorf("Access-Control-Allow-Origin %q, want *", origin)
			}
		})
	}
}

// TestIdleConnectionsGiveWay checks that the service closes idle connections if
// new connections need their place.
func TestIdleConnectionsGiveWay(t *testing.T) {
	const limit = 3
	address := startServer(t, http.HandlerFunc(hello), limit, nil, func(s *http.Server) { s.IdleTimeout = time.Hour })
	for i := range 3 * limit {
		if status := get(t, connect(t, address), ""); status != 200 {
			t.Fatalf("client %d: got %d, want 200", i, status)
		}
	}
}

// TestSlowClients checks a thousand clients that send nothing, half a header,
// or half a body. The service must close their connections in the end. These
// clients must not delay other clients.
func TestSlowClients(t *testing.T) {
	const cutOff = 4 * time.Second
	clients := 1000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if most := int(files.Cur)/2 - 50; most < clients { // in this test, the process needs a file for each of the two ends of a connection
		t.Logf("%d clients, as many as the limit of %d open files allows", most, files.Cur)
		clients = most
	}
	address := startServer(t, http.HandlerFunc(hello), MaxConnections, nil, func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout = cutOff, cutOff+time.Second
	})
	beginnings := []string{"", "POST / HTTP/1.1\r\nHost: x\r\nX-", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"}
	slow := make([]net.Conn, clients)
	for i := range slow {
		slow[i] = connect(t, address)
		io.WriteString(slow[i], beginnings[i%len(beginnings)])
	}
	start := time.Now()
	if status := get(t, connect(t, address), ""); status != 200 {
		t.Errorf("a quick client among them: got %d, want 200", status)
	}
	if took := time.Since(start); took >= cutOff {
		t.Errorf("a quick client: got its answer after %v, want it before the slow ones are cut off, %v", took, cutOff)
	}
	for i, conn := range slow {
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("slow client %d: got it still connected, want it cut off", i)
		}
	}
}
