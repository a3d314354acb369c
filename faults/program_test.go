package faults

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// waitTime is how long a test waits for what must happen and has no time of
// its own.
const waitTime = 30 * time.Second

var binaryDir string

func TestMain(m *testing.M) {
	// Most of them wait for somebody's time to be over, whatever the number of
	// processors; the few that work hard do so one at a time. More at once, and
	// two processors that have other things to do, too, leave a process without
	// the time that the shortest delay gives it.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	var err error
	if binaryDir, err = os.MkdirTemp("", "faults"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(binaryDir)
	os.Exit(code)
}

// binary is the program, built once, without the race detector: its speed and
// memory are those of service.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryDir, "matrixrtc-auth")
	if out, err := exec.Command("go", "build", "-o", path, "matrixrtc-auth").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// service is one process of the program.
type service struct {
	cmd    *exec.Cmd
	url    string        // where it answers; set when it listens
	log    string        // the file with what it says
	exited chan struct{} // closed when the process has ended
}

// launch starts a process with env alone.
func launch(t *testing.T, log string, env []string) *service {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{cmd: exec.Command(program), log: log, exited: make(chan struct{})}
	// Through a pipe: a full disk is the leaves', not the log's.
	s.cmd.Stderr = struct{ io.Writer }{file}
	s.cmd.Env = env
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		file.Close()
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the end of %s:\n%s", log, s.lastLines())
		}
	})
	return s
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

// awaitListening waits until the process listens, or fails the test.
func (s *service) awaitListening(t *testing.T) {
	t.Helper()
	var line []string
	await(t, waitTime, "that it listens", func() bool {
		line = listening.FindStringSubmatch(s.text())
		return line != nil || s.ended()
	})
	if line == nil {
		t.Fatalf("got the process ended, want it to listen:\n%s", s.text())
	}
	s.url = "http://" + line[1]
}

func (s *service) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// text is the log so far.
func (s *service) text() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// lastLines are those that are not about single requests, the last of them.
func (s *service) lastLines() string {
	var lines []string
	for line := range strings.Lines(s.text()) {
		if !strings.Contains(line, "msg=request") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

// kill ends the process at once, and waits for that.
func (s *service) kill() {
	_ = s.cmd.Process.Kill() // also one that is frozen
	<-s.exited
}

// stop ends the process in order.
func (s *service) stop(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	await(t, waitTime, "that it ends", s.ended)
	if !s.cmd.ProcessState.Success() {
		t.Errorf("SIGTERM: got %s, want exit code 0\n%s", s.cmd.ProcessState, s.lastLines())
	}
}

func (s *service) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%v: got %v, want no error", sig, err)
	}
}

// await looks again and again whether what has happened, and fails the test if
// it has not within the time.
func await(t *testing.T, within time.Duration, what string, happened func() bool) {
	t.Helper()
	late := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("got nothing within %v, want this: %s", within, what)
		}
	}
}

// during does something every so often for a while.
func during(d, every time.Duration, do func()) {
	over := time.After(d)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		do()
		select {
		case <-tick.C:
		case <-over:
			return
		}
	}
}
