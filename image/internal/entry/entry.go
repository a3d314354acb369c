// Package entry is where the commands of this module begin and end.
package entry

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// Main runs a command until it ends or is interrupted. The exit code is 1 after
// an error, which it prints behind the command's name.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}
