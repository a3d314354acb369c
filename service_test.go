package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"matrixrtc-auth/config"
)

// process is the running program of one script.
type process struct {
	cmd     *exec.Cmd
	address string
	log     string        // the path of the file with the process's log
	exited  chan struct{} // closed when the process has ended
}

// The script command `serve` starts the program with the script's environment
// and waits until the program listens. The program's log goes to the file
// "log". With `! serve`, the program must fail to start.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: [!] serve")
	}
	l := labOf(ts)
	if l.service != nil {
		l.service.kill()
	}
	s, err := startService(ts)
	ts.Check(err)
	l.service = s
	line, started := s.await(regexp.MustCompile(`msg=listening address=(\S+)|"msg":"listening","address":"([^"]+)"`))
	if started == neg {
		ts.Fatalf("started: %v\n%s", started, s.text())
	}
	if !started {
		<-s.exited
		if s.cmd.ProcessState.Success() {
			ts.Fatalf("the program ended with exit code 0, want a failure")
		}
		io.WriteString(ts.Stderr(), s.text())
		return
	}
	s.address = line[1] + line[2]
	ts.Setenv("SERVICE", s.address)
	if _, port, err := net.SplitHostPort(s.address); err == nil {
		ts.Setenv("PORT", port)
	}
}

func startService(ts *testscript.TestScript) (*process, error) {
	name, err := lookPath("matrixrtc-auth", ts.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	s := &process{cmd: exec.Command(name), log: ts.MkAbs("log"), exited: make(chan struct{})}
	// The log goes to a file and not to a pipe. So when a killed process has
	// ended, the file holds everything that the process has written.
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stderr = log
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = environ(ts)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// environ returns the variables of the program and PATH, with their values in
// the script's environment.
func environ(ts *testscript.TestScript) []string {
	env := []string{"PATH=" + ts.Getenv("PATH")}
	for _, v := range config.Variables() {
		if value := ts.Getenv(v.Name); value != "" {
			env = append(env, v.Name+"="+value)
		}
	}
	return env
}

func lookPath(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("no %s in PATH", name)
}

func (s *process) text() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// await waits until the log matches the pattern. found is false if the log
// does not match within waitTime, or if the process has ended and its whole
// log does not match.
func (s *process) await(pattern *regexp.Regexp) (match []string, found bool) {
	deadline := time.After(waitTime)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for match == nil {
		select {
		case <-look.C:
			match = pattern.FindStringSubmatch(s.text())
		case <-s.exited:
			match = pattern.FindStringSubmatch(s.text())
			return match, match != nil
		case <-deadline:
			return nil, false
		}
	}
	return match, true
}

func (s *process) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// The script command `await PATTERN` waits until the service's log matches
// PATTERN.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	s := labOf(ts).service
	if _, found := s.await(pattern); !found {
		ts.Fatalf("the log does not match %s:\n%s", args[0], s.text())
	}
}

// The script command `logged` waits until the log holds every line up to now.
// For this, it requests a path that nobody else requests. Then it waits for the
// line about that request.
func cmdLogged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: logged")
	}
	l := labOf(ts)
	l.marks++
	path := fmt.Sprintf("/logged-%d", l.marks)
	ts.Check(ask(l.service.address, newRequest(ts, []string{"GET", path})).err)
	cmdAwait(ts, false, []string{path + `\b`})
}

// The script command `signal NAME` sends SIGTERM, SIGINT, SIGHUP or SIGKILL to
// the service.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP, "SIGKILL": syscall.SIGKILL}
	if neg || len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal SIGTERM|SIGINT|SIGHUP|SIGKILL")
	}
	ts.Check(labOf(ts).service.cmd.Process.Signal(signals[args[0]]))
}

// The script command `exited` waits until the service has ended with exit code
// 0. With `! exited`, the service must end with another exit code or by a
// signal. When the command returns, the service's log is complete.
func cmdExited(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: [!] exited")
	}
	s := labOf(ts).service
	select {
	case <-s.exited:
	case <-time.After(waitTime):
		ts.Fatalf("it still runs:\n%s", s.text())
	}
	if state := s.cmd.ProcessState; state.Success() == neg {
		ts.Fatalf("%s:\n%s", state, s.text())
	}
}

// claims returns the payload of a JWT.
func claims(ts *testscript.TestScript, jwt string) string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		ts.Check(errors.New("the text is not a JWT"))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	ts.Check(err)
	return string(payload)
}
