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

// waitTime is how long a test waits for an event if the test has no stricter
// limit.
const waitTime = 30 * time.Second

var binaryDir string

func TestMain(m *testing.M) {
	// Most tests only wait, so 12 of them can run at the same time on any number
	// of processors. With more than 12 tests on two busy processors, a process
	// might get too little time for the shortest delay.
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

// binary builds the program once and returns its path. The program is built
// without the race detector, so that its speed and memory are as in real use.
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
	url    string        // the process's URL; set when the process listens
	log    string        // the path of the process's log
	exited chan struct{} // closed when the process has ended
}

// launch starts a process whose whole environment is env. The process logs to
// the file log.
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
	// The log goes through a pipe. So the process can still write its log, even if
	// limitFiles makes its writes to files fail.
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

// text returns the process's log so far.
func (s *service) text() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// lastLines returns the last 20 lines of the log, without the lines about
// single requests.
func (s *service) lastLines() string {
	var lines []string
	for line := range strings.Lines(s.text()) {
		if !strings.Contains(line, "msg=request") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

// kill kills the process, and waits until it has ended.
func (s *service) kill() {
	_ = s.cmd.Process.Kill() // also kills a frozen process
	<-s.exited
}

// stop ends the process with SIGTERM, and waits until it has ended.
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
		t.Fatalf("sending the signal %v: got %v, want no error", sig, err)
	}
}

// await calls the function happened every 50 ms until it returns true. If that
// takes longer than the time limit within, await fails the test. The parameter
// what describes the event in the message of the failure.
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

// during calls the function do again and again for the time d. The parameter
// every is the time from one call to the next.
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
