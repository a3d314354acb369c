package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// askEvery is the pause between two checks whether a part is ready.
const askEvery = 10 * time.Millisecond

// command is a program with everything that start needs to run it.
type command struct {
	name    string // the name of the part of the stack, and of its log
	program string
	args    []string
	env     []string // the environment does not need PATH and HOME, because start adds them
	dir     string   // the directory in which the program runs; "" means the directory of this process
	stdin   string
	// These fields set the user and group of the process, and its root directory. The zero
	// values change nothing. For other values, this process must be root.
	as   int
	root string
	// binds are the addresses that the program will bind. start waits until they are
	// free, because an earlier part may still use them.
	binds []string
}

// process is a command that was started.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    Log
	exited chan struct{} // closed when the process has ended and err is set
	err    error         // the result of exec.Cmd.Wait
}

// start starts the command, and makes a log in the Host's directory. Of this process's
// environment variables, the command gets only PATH. Other variables could change what
// the command does.
func start(ctx context.Context, host *Host, c command) (*process, error) {
	if err := awaitFree(ctx, c.binds); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	log := Log{filepath.Join(host.Dir, c.name+".log")}
	file, err := os.OpenFile(log.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command(c.program, c.args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + host.Dir}, c.env...)
	cmd.Dir = c.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), file, file
	cmd.SysProcAttr = Dependent()
	c.confine(cmd.SysProcAttr)
	if c.root != "" {
		cmd.Dir = "/"
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	p := &process{name: c.name, cmd: cmd, log: log, exited: make(chan struct{})}
	go p.wait()
	return p, nil
}

// confine sets the user and the root directory of the process, if the command has them.
func (c command) confine(attr *syscall.SysProcAttr) {
	attr.Chroot = c.root
	if c.as != 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(c.as), Gid: uint32(c.as)}
	}
}

func (p *process) wait() {
	p.err = p.cmd.Wait()
	close(p.exited)
}

// await waits until ready returns true. If the process ends first, await returns an
// error with the end of the log. If ctx ends first, await kills the process and returns
// such an error.
func (p *process) await(ctx context.Context, ready func() bool) error {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for !ready() {
		select {
		case <-ticker.C:
		case <-p.exited:
			return p.fault("ended before it was ready: %v", p.err)
		case <-ctx.Done():
			p.kill()
			return p.fault("is not ready: %v", context.Cause(ctx))
		}
	}
	return nil
}

func (p *process) fault(format string, args ...any) error {
	return fmt.Errorf("%s %s\n%s", p.name, fmt.Sprintf(format, args...), p.log.Tail(20))
}

// ending says how the method stop ends a process. stop sends SIGTERM immediately, and
// a second SIGTERM after the time ending.again, unless that is 0. If the process still
// runs after the time ending.kill, stop sends SIGKILL.
type ending struct{ again, kill time.Duration }

var errKilled = errors.New("did not end in time and was killed")

// stop ends the process. It returns nil if the exit code is 0, or if the process was
// never started.
func (p *process) stop(limit ending) error {
	if p == nil {
		return nil
	}
	p.signal(syscall.SIGTERM)
	if limit.again > 0 {
		again := time.AfterFunc(limit.again, func() { p.signal(syscall.SIGTERM) })
		defer again.Stop()
	}
	select {
	case <-p.exited:
	case <-time.After(limit.kill):
		p.kill()
		return fmt.Errorf("%s: %w", p.name, errKilled)
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// kill ends the process and its children immediately. If the process does not lead a
// process group, the children keep running.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// signal sends a signal to the process, but not to its children. If the process has
// ended, signal does nothing.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// asker sends requests, and closes each connection afterwards. If connections stayed
// open, a server would wait for them before it ends.
var asker = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// answers reports whether a GET of the URL gets the status 200.
func answers(ctx context.Context, url string) bool { return answersTo(ctx, asker, url) }

func answersTo(ctx context.Context, client *http.Client, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
