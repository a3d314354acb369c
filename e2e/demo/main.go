// Command demo shows the service at work: a real SFU admits a participant with an
// access token from the service. If the environment variable ONCE is 1, the demo then ends.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"matrixrtc-auth/e2e/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	once := os.Getenv("ONCE") != "" && os.Getenv("ONCE") != "0"
	err := run(ctx, once)
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "\nStopped before the end.")
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nThe demo failed: %v\n", err)
		os.Exit(1)
	}
}

// run runs the demo in a temporary directory.
func run(ctx context.Context, once bool) error {
	dir, err := os.MkdirTemp("", "matrixrtc-auth-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	host := stack.NewHost(dir)
	defer host.Close()

	programs, err := build(ctx, dir)
	if err != nil {
		return err
	}
	d, err := deploy(ctx, host, programs)
	defer d.stop()
	if err != nil {
		return err
	}
	if err := d.admit(ctx); err != nil {
		return err
	}
	if once {
		return nil
	}
	return d.stay(ctx)
}
