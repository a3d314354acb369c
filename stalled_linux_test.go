package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/internal/lag"
)

// startUnread starts the program with a pipe of 64 kB as its standard error. It
// returns the end of the pipe from which the test can read the log.
func startUnread(t *testing.T, overrides string) (*process, *os.File) {
	t.Helper()
	log, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	s := startOnSocket(t, overrides, stderr, "matrixrtc-auth")
	stderr.Close()
	return s, log
}

// startOnSocket starts a command that runs the program. The program listens on
// a Unix socket. So the test knows the address without reading the log.
func startOnSocket(t *testing.T, overrides string, stderr io.Writer, command ...string) *process {
	t.Helper()
	address := "unix:" + filepath.Join(t.TempDir(), "socket")
	s := &process{cmd: exec.Command(command[0], command[1:]...), address: address, exited: make(chan struct{})}
	s.cmd.Stderr = stderr
	s.cmd.Env = append(environment(overrides), "LIVEKIT_JWT_BIND="+address, "PATH="+os.Getenv("PATH"))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(s.kill)
	awaitSocket(t, address)
	return s
}

func awaitSocket(t *testing.T, address string) {
	t.Helper()
	deadline := time.After(waitTime)
	for look := time.Tick(time.Millisecond); ; {
		conn, err := dial(address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-look:
		case <-deadline:
			t.Fatalf("connecting to %s: got %v, want that somebody listens", address, err)
		}
	}
}

// TestStalledLogReader checks the program while nobody reads its log. The log
// goes to a pipe, which is full after 64 kB. The service must answer token
// requests, and /healthz must say what is wrong. SIGTERM must end the program.
func TestStalledLogReader(t *testing.T) {
	const requests = 10_000 // these requests make 2.5 MB of log
	s, log := startUnread(t, "example.org=http://"+refusingHomeserver(t))
	flood(t, s.address, 0, requests)
	if t.Failed() {
		t.FailNow()
	}
	health := ask(s.address, request{"GET", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"})
	if health.err != nil || !strings.Contains(health.body, `"status":"degraded"`) || !strings.Contains(health.body, `"the log cannot be written: lines are lost"`) {
		t.Errorf("GET /healthz while nobody reads the log: got %s, %v, want degraded with the reason", health.body, health.err)
	}
	wantObedient(t, s)
	wantWholeLines(t, log)
}

// wantObedient checks that SIGTERM ends the process s with exit code 0 within 5
// s.
func wantObedient(t *testing.T, s *process) {
	t.Helper()
	late, start := lag.Measure(t), time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(waitTime):
		t.Fatalf("SIGTERM: got no end within %v, want one", waitTime)
	}
	if took := time.Since(start); !s.cmd.ProcessState.Success() || took > 5*time.Second+late() {
		t.Errorf("SIGTERM: got %s after %v, want exit code 0 within 5 s", s.cmd.ProcessState, took)
	}
}

// TestLogReaderGone checks that the program works if the reader of its log has
// ended, or if its standard error is closed.
func TestLogReaderGone(t *testing.T) {
	overrides := "example.org=http://" + refusingHomeserver(t)
	for name, start := range map[string]func() *process{
		"ended": func() *process {
			s, log := startUnread(t, overrides)
			log.Close()
			return s
		},
		"standard error is closed": func() *process {
			return startOnSocket(t, overrides, nil, "sh", "-c", "exec matrixrtc-auth 2>&-")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start()
			for range 2 { // only when the program writes to the log does it notice that the log's reader has ended
				flood(t, s.address, 1, 200)
				if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
			}
			wantObedient(t, s)
		})
	}
}

// TestLogReaderReturns checks the log after a time in which nobody has read it.
// When somebody reads the log again, a line in the log must say that lines were
// lost.
func TestLogReaderReturns(t *testing.T) {
	s, log := startUnread(t, "example.org=http://"+refusingHomeserver(t))
	flood(t, s.address, 0, 10_000)
	if err := log.SetReadDeadline(time.Now().Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `level=WARN msg="log: lines were lost`) {
			return
		}
	}
	t.Errorf("got the log's end (%v), want a line about lost lines before it", lines.Err())
}

// wantWholeLines checks that the log of an ended process has only whole lines.
func wantWholeLines(t *testing.T, log io.Reader) {
	t.Helper()
	text, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) < 32<<10 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("got a log of %d bytes that ends in %q, want at least 32 kB of whole lines", len(text), text[max(0, len(text)-50):])
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		if !bytes.HasPrefix(line, []byte("time=")) || bytes.Count(line, []byte("time=")) != 1 {
			t.Fatalf("line %d: got %s, want a whole one", i+1, line)
		}
	}
}

// environment returns environment variables that are a complete configuration.
func environment(overrides string) []string {
	return []string{
		"LIVEKIT_URL=ws://127.0.0.1:9", "LIVEKIT_KEY=" + scriptKey.ID, "LIVEKIT_SECRET=" + scriptKey.Secret.Reveal(),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS=example.org", "LIVEKIT_FEDERATION_URL_OVERRIDES=" + overrides,
		"LIVEKIT_STORE=memory",
	}
}
