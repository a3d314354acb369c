// Package commandtest runs single commands of the program in tests.
package commandtest

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"matrixrtc-auth/internal/command"
)

// Run runs c as the only command of the program, with args after its name. If the
// reader in is nil, the input is empty. Run returns the exit code.
func Run(ctx context.Context, c *cobra.Command, args []string, in io.Reader, out, faults io.Writer) int {
	if in == nil {
		in = strings.NewReader("")
	}
	root := &cobra.Command{Use: command.Program, SilenceErrors: true, SilenceUsage: true}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(c)
	return command.Run(ctx, root, append([]string{c.Name()}, args...), in, out, faults)
}
