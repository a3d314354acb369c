package systemd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/deploy/deploytest"
)

// supervise is a script that does what systemd does with a socket and a
// service. It keeps the socket open. It gives the socket to the program $1, and
// later to the program $2. Each line on the script's standard input ends the
// running program and starts $2, as `systemctl restart` does.
const supervise = `
serve() { sh -c 'LISTEN_PID=$$ exec "$0" serve' "$1" & pid=$!; }
serve "$1"
while read -r _; do
	kill -TERM $pid
	wait $pid || exit 1
	serve "$2"
done
kill -TERM $pid
wait $pid
`

// activated is a running service. systemd-socket-activate has opened its
// socket.
type activated struct {
	t       *testing.T
	address string
	stdin   io.WriteCloser
	log     string
	ended   chan error
}

func activate(t *testing.T, env []string, oldProgram, newProgram string) *activated {
	t.Helper()
	a := &activated{t: t, address: freeAddress(t), log: filepath.Join(t.TempDir(), "log"), ended: make(chan error, 1)}
	args := []string{"--listen=" + a.address}
	for _, v := range append(env, "LIVEKIT_JWT_BIND="+a.address, "LIVEKIT_STORE=file:"+filepath.Join(t.TempDir(), "leaves.db")) {
		args = append(args, "--setenv="+v)
	}
	cmd := exec.Command("systemd-socket-activate", append(args, "sh", "-c", supervise, "sh", oldProgram, newProgram)...)
	log, err := os.Create(a.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if a.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("systemd-socket-activate: got %v, want no error", err)
	}
	go func() { a.ended <- cmd.Wait() }()
	t.Cleanup(a.end)
	a.awaitSocket()
	return a
}

// end ends the running program. It fails the test if the exit code is not 0.
func (a *activated) end() {
	a.stdin.Close()
	select {
	case err := <-a.ended:
		if err != nil || a.t.Failed() {
			a.t.Errorf("the last process ended with %v\n%s", err, a.text())
		}
	case <-time.After(deploytest.MaxWait):
		a.t.Errorf("the last process does not end\n%s", a.text())
	}
}

func (a *activated) text() string {
	text, err := os.ReadFile(a.log)
	return fmt.Sprint(string(text), errText(err))
}

func errText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// freeAddress returns an address at which no program listens. The test needs
// such an address, because systemd-socket-activate does not accept port 0.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitSocket waits until systemd-socket-activate listens.
func (a *activated) awaitSocket() {
	a.t.Helper()
	deploytest.Until(a.t, func() error {
		c, err := net.Dial("tcp", a.address)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

// fresh returns a client that opens a new connection for every request.
func fresh() *http.Client {
	return &http.Client{Timeout: deploytest.MaxWait, Transport: &http.Transport{DisableKeepAlives: true}}
}

// version returns the version of the process that answers now.
func (a *activated) version(client *http.Client) (string, error) {
	resp, err := client.Get("http://" + a.address + "/healthz")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var health struct{ Version string }
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil {
		return "", err
	}
	return health.Version, nil
}

// crowd is a set of clients. Each client requests tokens until ctx ends, with a
// new connection for each request.
type crowd struct {
	answered atomic.Int64
	mu       sync.Mutex
	failures []error
	longest  time.Duration
}

func (c *crowd) ask(ctx context.Context, around *deploytest.Around, address string, user string) {
	for client := fresh(); ctx.Err() == nil; {
		began := time.Now()
		err := around.AskToken(client, address, user)
		took := time.Since(began)
		c.mu.Lock()
		if err != nil {
			c.failures = append(c.failures, err)
		}
		c.longest = max(c.longest, took)
		c.mu.Unlock()
		c.answered.Add(1)
	}
}

// TestUpgrade restarts the service five times. The first restart changes from
// an old version to a new one. Before, during and after the restarts, each request
// on a new connection must get its token.
func TestUpgrade(t *testing.T) {
	around := deploytest.NewAround(t)
	a := activate(t, around.Env, deploytest.Build(t, "old"), deploytest.Build(t, "new"))
	probe := fresh()
	if version, err := a.version(probe); version != "old" {
		t.Fatalf("the first process is %q (%v), want old\n%s", version, err, a.text())
	}

	var c crowd
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for i := range 8 {
		asking.Go(func() { c.ask(ctx, around, a.address, fmt.Sprint("user", i)) })
	}
	for n := 1; n <= 5; n++ {
		before := c.answered.Load()
		deploytest.Until(t, func() error {
			if c.answered.Load() < before+50 {
				return errors.New("no 50 more requests were answered")
			}
			return nil
		})
		if _, err := io.WriteString(a.stdin, "restart\n"); err != nil {
			t.Fatal(err)
		}
		deploytest.Until(t, func() error {
			if got := strings.Count(a.text(), "msg=stopped"); got < n {
				return fmt.Errorf("%d processes have ended, want %d", got, n)
			}
			return nil
		})
	}
	version, err := a.version(probe)
	stop()
	asking.Wait()
	if version != "new" || err != nil {
		t.Errorf("after the upgrade %q answers (%v), want new", version, err)
	}
	if len(c.failures) > 0 {
		t.Errorf("got %d of %d requests failed, the first: %v, want 0", len(c.failures), c.answered.Load(), c.failures[0])
	}
	t.Logf("%d requests over new connections, the longest took %s", c.answered.Load(), c.longest.Round(time.Millisecond))
	if strings.Contains(a.text(), "level=ERROR") || strings.Contains(a.text(), "running requests did not end in time and were cut off") {
		t.Errorf("the log: got\n%s\nwant no error in it, and no request cut off", a.text())
	}
}

// TestNotify checks what the service tells systemd in units with Type=notify.
// The service must say that it is ready only when it accepts connections. It
// must tell systemd when it begins to end.
func TestNotify(t *testing.T) {
	around := deploytest.NewAround(t)
	ear, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(t.TempDir(), "notify")})
	if err != nil {
		t.Fatal(err)
	}
	defer ear.Close()
	address := freeAddress(t)
	var log bytes.Buffer
	cmd := exec.Command(deploytest.Build(t, "notifying"))
	cmd.Stderr = &log
	cmd.Env = append(around.Env, "PATH="+os.Getenv("PATH"), "LIVEKIT_STORE=memory", "LIVEKIT_JWT_BIND="+address, "NOTIFY_SOCKET="+ear.LocalAddr().String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	wantNote(t, ear, "READY=1\nSTATUS=listening on "+address)
	if err := around.AskToken(fresh(), address, "alice"); err != nil {
		t.Errorf("after READY=1 a request fails: got %v, want no error", err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	wantNote(t, ear, "STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGINT: got %v\n%s\nwant exit code 0", err, log.String())
	}
}

func wantNote(t *testing.T, ear *net.UnixConn, want string) {
	t.Helper()
	if err := ear.SetReadDeadline(time.Now().Add(deploytest.MaxWait)); err != nil {
		t.Fatal(err)
	}
	note := make([]byte, 4096)
	n, err := ear.Read(note)
	if got := string(note[:n]); err != nil || got != want {
		t.Fatalf("the service says %q (%v), want %q", got, err, want)
	}
}
