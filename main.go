// Command matrixrtc-auth is a MatrixRTC authorization service: it asks a
// homeserver to which user an OpenID token belongs, and gives that user an
// access token for the LiveKit room of their call (MSC4195).
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path"
	"syscall"

	"matrixrtc-auth/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // after the first signal, a second signal ends the process immediately
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the program, and returns its exit code. The code is 0 for success, 1
// for a failure, and 2 for wrong arguments, like a misspelt command. The first
// SIGTERM or SIGINT ends ctx, and the command serve ends when ctx ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return command.Run(ctx, root(), withoutProgram(args), stdin, stdout, stderr)
}

// withoutProgram drops the first argument if that is a name of the program.
// Compose files and playbooks for lk-jwt-service give such a name as the
// command. But the image has an entry point, so the program gets the name as
// its first argument.
func withoutProgram(args []string) []string {
	if len(args) == 0 {
		return args
	}
	switch path.Base(args[0]) {
	case "lk-jwt-service", "matrixrtc-auth":
		return args[1:]
	}
	return args
}
