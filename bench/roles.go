package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// runRole is the main function of a child process.
func runRole(role string, args []string) error {
	switch role {
	case "homeserver":
		return serveHomeserver()
	case "sfu":
		return serveSFU()
	case "bare", "pooled":
		return serveBaseline(args)
	case "load":
		return generateLoad(args)
	}
	return fmt.Errorf("%q is not a role of this program", role)
}

// hello is the first line that a serving child process writes.
type hello struct {
	Addr string `json:"addr"`
	CA   string `json:"ca,omitempty"` // the certificate of the child's CA, as PEM
}

// counts is a child process's answer to the command "counts".
type counts struct {
	Accepted int64 `json:"accepted"` // the connections that the child has accepted since its start
	Requests int64 `json:"requests"` // the requests that the child has received since its start
}

// child is a running child process of the benchmark. It reads commands from
// its standard input, one per line, and answers each with a line of JSON. It
// ends when its standard input is closed, so no child outlives the benchmark.
type child struct {
	hello
	role  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startRole starts this program again as a child process in a role, and waits
// for its hello.
func startRole(ctx context.Context, role string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{role: role, cmd: exec.CommandContext(ctx, self, append([]string{"role", role}, args...)...)}
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.lines = bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.read(&c.hello); err != nil {
		c.stop()
		return nil, fmt.Errorf("the %s did not start: %w", role, err)
	}
	return c, nil
}

func (c *child) read(v any) error {
	if !c.lines.Scan() {
		return fmt.Errorf("the child process for the %s ended without an answer: %w", c.role, io.ErrUnexpectedEOF)
	}
	return json.Unmarshal(c.lines.Bytes(), v)
}

// ask sends a command to the child process. The child answers with a line of
// JSON, which ask decodes into answer.
func (c *child) ask(command string, answer any) error {
	if _, err := fmt.Fprintln(c.stdin, command); err != nil {
		return err
	}
	return c.read(answer)
}

func (c *child) counts() (counts, error) {
	var n counts
	err := c.ask("counts", &n)
	return n, err
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) stop() error {
	c.stdin.Close()
	return c.cmd.Wait()
}

// obey runs in the child process. It writes h to standard output. Then it
// answers commands until standard input ends.
func obey(h hello, commands map[string]func() any) error {
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(h); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		command, ok := commands[in.Text()]
		if !ok {
			return fmt.Errorf("%q is not a command of this role", in.Text())
		}
		if err := out.Encode(command()); err != nil {
			return err
		}
	}
	return in.Err()
}
