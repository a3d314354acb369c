// Command join joins an SFU as a participant and stays in the room until a signal ends
// it. Its argument is the URL of the SFU. It reads the access token from the standard
// input.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"matrixrtc-auth/e2e/participant"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "join:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: join URL <token")
	}
	token, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	p, err := participant.Join(ctx, args[0], strings.TrimSpace(string(token)))
	if err != nil {
		return err
	}
	defer p.Leave()
	fmt.Fprintf(stdout, "joined room=%s identity=%s sid=%s\n", p.Room(), p.Identity(), p.SID())
	select {
	case <-ctx.Done():
		return nil
	case <-p.Left():
		return errors.New("the SFU ended the session")
	}
}
