// Package entry runs the main functions of this module's commands.
package entry

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// Main calls run. An interrupt signal ends the context of run. If run returns
// an error, Main prints the command's name and the error, and exits with code
// 1.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}
