package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFlood sends 100,000 requests with invalid tokens, each from a different
// address. The program's memory must not grow, and the service must still
// answer. The program is built without the race detector, which would change how
// much memory the program needs.
func TestFlood(t *testing.T) {
	const warmup, requests, maxGrowth = 1_000, 100_000, 10 << 20
	s := startBinary(t, buildBinary(t), "example.org=http://"+refusingHomeserver(t))
	flood(t, s.address, 0, warmup)
	before := s.memory(t)
	flood(t, s.address, warmup, requests)
	after := s.memory(t)
	t.Logf("memory %d kB after %d requests, %d kB after %d", before>>10, warmup, after>>10, requests)
	if after-before > maxGrowth {
		t.Errorf("memory grew by %d kB: got %v bytes, want at most %v", (after-before)>>10, after-before, maxGrowth)
	}
	if a := ask(s.address, request{"GET", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"}); a.err != nil || !strings.HasPrefix(a.text, "200 ") {
		t.Errorf("GET /healthz afterwards: got %s, %v, want 200", a.text, a.err)
	}
}

// maxBinary bounds the size of the program without its symbols, in bytes. Today
// the program has 25,547,017 bytes, with cgo. Some packages, like
// text/template, look up methods by names that are not constant. If the program
// used such a package, the linker would keep every method, which adds 11 MB.
const maxBinary = 25_900_000

// buildBinary builds the program without symbols, like a release. It also
// checks the program's size.
func buildBinary(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "matrixrtc-auth")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: got %v\n%s, want no error", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBinary {
		t.Errorf("the program's size: got %d bytes, want at most %d", info.Size(), maxBinary)
	}
	return path
}

// startBinary starts a binary of the program. overrides is the value of
// LIVEKIT_FEDERATION_URL_OVERRIDES. The parameter more holds additional
// environment variables.
func startBinary(t *testing.T, binary, overrides string, more ...string) *process {
	t.Helper()
	s := &process{cmd: exec.Command(binary), log: filepath.Join(t.TempDir(), "log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr = log
	s.cmd.Env = append([]string{
		"LIVEKIT_URL=ws://127.0.0.1:9", "LIVEKIT_KEY=" + scriptKey.ID, "LIVEKIT_SECRET=" + scriptKey.Secret.Reveal(),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS=example.org", "LIVEKIT_FEDERATION_URL_OVERRIDES=" + overrides,
		"LIVEKIT_JWT_BIND=127.0.0.1:0",
	}, more...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(s.kill)
	line, started := s.await(regexp.MustCompile(`msg=listening address=(\S+)`))
	if !started {
		t.Fatalf("got this log, want a line that the program listens:\n%s", s.text())
	}
	s.address = line[1]
	return s
}

// memory returns the resident memory of the process in bytes.
func (s *process) memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	kilobytes, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// files returns how many files the process has open.
func (s *process) files(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// flood sends the requests with the numbers n for which from ≤ n < to. It uses
// a few connections.
func flood(t *testing.T, address string, from, to int) {
	t.Helper()
	const connections = 8
	var wg sync.WaitGroup
	for c := range connections {
		wg.Go(func() {
			conn, err := dial(address)
			if err != nil {
				t.Errorf("dial: got %v, want no error", err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := from + c; i < to; i += connections {
				if err := exchange(conn, answers, i); err != nil {
					t.Errorf("request %d: got %v, want no error", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// exchange sends the request with number i and reads the answer. Every fourth
// request is not JSON, and its status must be 400. The status of all other
// requests must be 401.
func exchange(conn net.Conn, answers *bufio.Reader, i int) error {
	if err := conn.SetDeadline(time.Now().Add(waitTime)); err != nil {
		return err
	}
	want := "401"
	body := fmt.Sprintf(`{"room":"!room%d:example.org","openid_token":{"access_token":"invalid%d","matrix_server_name":"example.org"},"device_id":"D%d"}`, i, i, i)
	if i%4 == 0 {
		want, body = "400", body[1:]
	}
	_, err := fmt.Fprintf(conn, "POST /sfu/get HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8:%x:%x::1\r\nContent-Length: %d\r\n\r\n%s",
		i>>16, i&0xffff, len(body), body)
	if err != nil {
		return err
	}
	status, err := readAnswer(answers)
	if err == nil && status != want {
		err = fmt.Errorf("status %s, want %s", status, want)
	}
	return err
}

// readAnswer reads one answer that has a Content-Length, and returns the
// answer's status. It does not use http.ReadResponse, because that would take
// most of the test's time.
func readAnswer(r *bufio.Reader) (status string, err error) {
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		switch {
		case bytes.HasPrefix(line, []byte("HTTP/1.1 ")):
			status = string(line[9:12])
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[16:]))); err != nil {
				return "", err
			}
		case len(line) == 2 && length < 0:
			return "", errors.New("no Content-Length")
		case len(line) == 2:
			_, err := r.Discard(length)
			return status, err
		}
	}
}

// refusingHomeserver starts a homeserver that refuses every token. For speed,
// it answers every request in the same way.
func refusingHomeserver(t *testing.T) (address string) {
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
			go refuseAll(conn)
		}
	}()
	return listener.Addr().String()
}

func refuseAll(conn net.Conn) {
	defer conn.Close()
	const answer = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n" +
		`{"errcode":"M_UNKNOWN_TOKEN"}`
	requests := bufio.NewReader(conn)
	for {
		line, err := requests.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 2 {
			continue
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}
