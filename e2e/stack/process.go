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

// askEvery is the pause between two questions whether a part is ready.
const askEvery = 10 * time.Millisecond

// command says what to run.
type command struct {
	name    string // of the part, and of its log
	program string
	args    []string
	env     []string // all of it, but for PATH and HOME
	dir     string   // to run in; the caller's when empty
	stdin   string
	// as, when set, has it run as that user and group, and root, when set, with
	// that directory as its root. Both take the rights of root.
	as   int
	root string
	// binds are the addresses that have to be free before it starts: a part that
	// ended a moment ago may have had them.
	binds []string
}

// process is a running command.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    Log
	exited chan struct{} // closed once the process has ended and err is set
	err    error         // how it ended: of exec.Cmd's Wait
}

// start runs the command with a log in host's directory. The environment holds
// nothing of the caller's that could configure a part by accident.
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

// confine gives the process the user and the root of the command.
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

// await asks until ready says yes. It fails, with the end of the log, when the
// process ends or ctx does; then the process is gone.
func (p *process) await(ctx context.Context, ready func() bool) error {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for !ready() {
		select {
		case <-ticker.C:
		case <-p.exited:
			return p.fault("ended at its start: %v", p.err)
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

// patience says how an end is asked for: SIGTERM at once, again after again
// (0: never), and SIGKILL after kill.
type patience struct{ again, kill time.Duration }

var errKilled = errors.New("had to be killed")

// stop ends the process and returns how it ended: nil for exit code 0, and for
// a part that was never started.
func (p *process) stop(limit patience) error {
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

// kill ends the process and its children at once. Where it leads no group of
// its own, it is the process alone that ends.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// signal sends to the process alone. One that has ended takes no signal.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// asker keeps no connection: an idle one would delay the end of whom it asked.
var asker = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// answers reports whether a GET of the URL is answered with 200.
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
