//go:build linux

// Command hostile measures what attackers cost the service. It makes the
// service send requests to the homeservers of strangers, which play every trick
// that the tests know. It also has clients that attack the service directly. It
// measures memory, the time of requests for named servers, and what the service
// still holds afterwards. The service is the real program with its defaults, in
// a memory control group of 200 MiB. `make hostile` runs this command.
//
// The command needs root, because it makes the control group and a network
// namespace with a fake name server. All traffic stays in the namespace. The
// strangers' servers and clients run in a separate process with a lower
// priority, because in reality they would run on other machines.
//
// The option -spoiled shows that this command finds faults. With this option,
// the command builds the service without the bound on the size of TLS
// handshakes. The command fails if it does not notice that the bound is
// missing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// runTime bounds the whole run, so that a run that hangs fails.
const runTime = 4 * time.Minute

// options are the options of the command line.
type options struct {
	binary  string // the path of the service's program
	only    string // the name of the only attack to make; "" for all attacks
	spoiled bool
	role    string // the role of this process; the first process has the role "" and starts all other processes
	dir     string // the directory in which the processes keep their files
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "", "the service's `file`; if empty, the service is built from this source")
	flag.StringVar(&o.only, "only", "", "make only this `attack`")
	flag.BoolVar(&o.spoiled, "spoiled", false, "build the service without the bound on the size of TLS handshakes, and fail if the attack \"junk\" then shows no fault")
	flag.StringVar(&o.role, "role", "", "used only by this program, for the processes that it starts")
	flag.StringVar(&o.dir, "dir", "", "used only by this program, for the processes that it starts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) error {
	switch o.role {
	case "judge":
		return judgeService(ctx, o)
	case "strangers":
		return playStrangers(ctx, o.dir)
	default:
		return enter(ctx, o)
	}
}

// enter builds the service, and starts this program again in new namespaces.
func enter(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("run this as root: it has to make a network namespace and a memory control group")
	}
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	if o.binary == "" {
		o.binary = filepath.Join(dir, "matrixrtc-auth")
		if err := buildService(ctx, o.binary, dir, o.spoiled); err != nil {
			return fmt.Errorf("building the service: %w", err)
		}
	}
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	judge := exec.CommandContext(ctx, "/proc/self/exe", "-role", "judge", "-dir", dir,
		"-binary", o.binary, "-only", o.only, fmt.Sprintf("-spoiled=%t", o.spoiled))
	judge.Stdout, judge.Stderr = os.Stdout, os.Stderr
	judge.Cancel = func() error { return judge.Process.Signal(syscall.SIGTERM) }
	judge.WaitDelay = 20 * time.Second
	judge.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGTERM,
	}
	err = judge.Run()
	if _, said := errors.AsType[*exec.ExitError](err); said {
		return errors.New("the service did not pass; see above")
	}
	if err != nil {
		return fmt.Errorf("starting the run in its own network namespace: %w", err)
	}
	return nil
}

// judgeService makes the attacks and judges the result. It runs in a
// process of its own, which has its own network and mount namespaces.
func judgeService(ctx context.Context, o options) (err error) {
	if err := isolate(o.dir); err != nil {
		return fmt.Errorf("preparing the network namespace: %w", err)
	}
	group, err := newGroup(memoryLimit)
	if err != nil {
		return fmt.Errorf("making the memory control group that bounds the service: %w", err)
	}
	defer group.remove()
	strangers, err := startStrangers(ctx, o.dir)
	if err != nil {
		return fmt.Errorf("starting the strangers' process: %w", err)
	}
	defer strangers.stop()
	world, err := newWorld()
	if err != nil {
		return err
	}
	defer world.close()
	service, err := startService(ctx, o, world, group)
	if err != nil {
		return err
	}
	defer service.stop()
	r := &run{service: service, strangers: strangers, group: group}
	if o.spoiled {
		return r.expectFaults(ctx)
	}
	return r.all(ctx, o.only)
}
