//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// strangersProcess is the process of the strangers' servers and clients. It
// reads the names of attacks from its input, one name per line. After each
// attack it writes a line that says how many answers of each kind there were.
type strangersProcess struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Scanner
}

// niceness is the argument of the command nice for the strangers' process. It
// lowers the priority of that process, which shares the processors with the
// service.
const niceness = "10"

func startStrangers(ctx context.Context, dir string) (*strangersProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &strangersProcess{cmd: exec.CommandContext(ctx, "nice", "-n", niceness, self, "-role", "strangers", "-dir", dir)}
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.input, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	s.lines = bufio.NewScanner(output)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := s.line(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// line waits for the next line that the process writes.
func (s *strangersProcess) line() (string, error) {
	if !s.lines.Scan() {
		return "", errors.Join(errors.New("the strangers' process has ended"), s.lines.Err())
	}
	return s.lines.Text(), nil
}

// attack makes the process run the attack of this name. It returns a text that
// says how many answers of each kind there were.
func (s *strangersProcess) attack(name string) (answers string, err error) {
	if _, err := fmt.Fprintln(s.input, name); err != nil {
		return "", err
	}
	return s.line()
}

// stop closes the process's input, so that the process ends. If the process
// still runs after 5 s, stop kills it.
func (s *strangersProcess) stop() {
	s.input.Close()
	kill := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.cmd.Wait()
}

// playStrangers is the main function of the strangers' process.
func playStrangers(ctx context.Context, dir string) error {
	servers, err := serveStrangers(dir)
	if err != nil {
		return err
	}
	known := map[string]attack{}
	for _, a := range attacks(servers.tricks) {
		known[a.name] = a
	}
	fmt.Println("ready")
	for orders := bufio.NewScanner(os.Stdin); orders.Scan() && ctx.Err() == nil; {
		a, ok := known[strings.TrimSpace(orders.Text())]
		if !ok {
			return fmt.Errorf("there is no attack called %q", orders.Text())
		}
		fmt.Println(a.make(ctx))
	}
	return ctx.Err()
}

// make makes the attack. It returns a text that says how many answers of each
// kind there were.
func (a attack) make(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, a.most)
	defer cancel()
	var answers counts
	a.run(ctx, &answers)
	return answers.String()
}
