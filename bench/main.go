// Command bench measures the service and two baselines on loopback: tokens per
// second, latency, CPU time and memory. Each server runs in a separate process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 1 && args[0] == "role" {
		return runRole(args[1], args[2:])
	}
	opts, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	l, err := openLab(ctx, opts, stderr)
	if err != nil {
		return err
	}
	defer l.close()
	if opts.scale {
		return l.scale(ctx, stdout)
	}
	return l.report(ctx, stdout)
}

// options say what to measure, and for how long.
type options struct {
	only     map[string]bool // the names of the experiments to run; if empty, all run
	duration time.Duration   // how long each measurement takes
	warmup   time.Duration   // how long the load lasts before each measurement
	repeats  int
	write    bool
	scale    bool   // measure only several replicas that share one Redis
	service  string // the path of a service program to measure; "" means that it is built from this source
}

func (o options) wants(experiment string) bool {
	return len(o.only) == 0 || o.only[experiment]
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "the experiments to run, with commas between them: "+strings.Join(experimentNames(), ", "))
	flags.DurationVar(&o.duration, "duration", 4*time.Second, "the length of one measurement")
	flags.DurationVar(&o.warmup, "warmup", 700*time.Millisecond, "how long load is sent before each measurement")
	flags.IntVar(&o.repeats, "repeats", 3, "how often each measurement is repeated; the median counts")
	flags.BoolVar(&o.write, "write", false, "write the result into docs/performance.md")
	flags.BoolVar(&o.scale, "scale", false, "measure only three replicas and 100,000 leaves on one Redis; with -write the result goes into docs/scaling.md; needs redis-server")
	flags.StringVar(&o.service, "service", "", "the path of a built service to measure, instead of building the checkout")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = parseOnly(*only); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("got the arguments %q, want only flags", flags.Args())
	case o.repeats < 1 || o.duration <= 0:
		return o, errors.New("-repeats and -duration must be positive")
	case o.write && len(o.only) > 0:
		return o, errors.New("-write replaces the whole report, so it needs all experiments: leave out -only")
	}
	return o, nil
}

func parseOnly(list string) (map[string]bool, error) {
	only := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !isExperiment(name) {
			return nil, fmt.Errorf("-only: %q is not an experiment; write some of %s", name, strings.Join(experimentNames(), ", "))
		}
		only[name] = true
	}
	return only, nil
}
