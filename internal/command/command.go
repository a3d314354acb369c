// Package command defines the common form of the program's commands: options in
// groups, a Run function, and a help text made from the options. All commands
// report wrong arguments in the same way. The first line says what is wrong and
// suggests a similar name. The second line says how to get the help. The exit code
// is 2.
package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
)

// Program is the program's name in help and error texts, even if the executable
// file has another name.
const Program = "matrixrtc-auth"

// Code is an exit code that can be returned as an error. A command that has already
// printed its error returns a Code, so that nobody prints the error again.
type Code int

// The exit codes that all commands share.
const (
	OK      Code = 0
	Failed  Code = 1
	Misused Code = 2 // the arguments are wrong, for example a misspelt command or option
)

func (c Code) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Spec describes a command.
type Spec struct {
	Name  string        // the command's name and its arguments, without options
	Short string        // what the command does, in one line without a full stop
	About string        // the part of the help before the options
	After func() string // returns the part of the help after the options; nil for none
	Flags *Flags        // the command's options; nil if it has none
	// Run runs the command. If it returns an error that is not a [Code], the error is
	// about the command's arguments.
	Run func(c *cobra.Command, args []string) error
	// Args lists the arguments that the command accepts. The user may give at most
	// one of them. If Args is empty, the command takes no argument.
	Args []string
}

// New returns the command that s describes.
func New(s Spec) *cobra.Command {
	c := &cobra.Command{
		Use: s.Name, Short: s.Short, RunE: s.Run, Args: s.arguments, ValidArgs: s.Args,
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true,
	}
	if s.Flags != nil {
		c.Use += " [options]"
		for _, g := range s.Flags.groups {
			c.Flags().AddFlagSet(g.set)
		}
	}
	c.Flags().BoolP("help", "h", false, "print this")
	c.SetFlagErrorFunc(explainFlag)
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { s.help(c) })
	return c
}

func (s Spec) help(c *cobra.Command) {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n\n%s\n", c.UseLine(), cmp.Or(s.About, sentence(s.Short)))
	if s.Flags != nil {
		for _, g := range s.Flags.groups {
			b.WriteString("\n")
			g.write(&b)
		}
	}
	if s.After != nil {
		b.WriteString("\n" + s.After())
	}
	Print(c, b.String())
}

// lost is the key of an annotation of the root command. If [Print] cannot write a
// help text, it stores the reason under this key.
const lost = "lost"

// Print prints a help text. If that fails, [Run] reports the failure.
func Print(c *cobra.Command, text string) {
	_, err := io.WriteString(c.OutOrStdout(), text)
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	if err != nil {
		c.Root().Annotations = map[string]string{lost: err.Error()}
	}
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// Run runs root, or the subcommand of root that args name, and returns the exit
// code.
func Run(ctx context.Context, root *cobra.Command, args []string, in io.Reader, out, faults io.Writer) int {
	root.SetArgs(append([]string{}, args...)) // if args is nil, cobra would otherwise use os.Args
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(faults)
	c, err := root.ExecuteContextC(ctx)
	if reason := root.Annotations[lost]; err == nil && reason != "" {
		fmt.Fprintf(faults, "%s: the output cannot be written: %s\n", c.CommandPath(), reason)
		return int(Misused)
	}
	switch err := err.(type) {
	case nil:
		return int(OK)
	case Code:
		return int(err)
	}
	PrintFaults(faults, c.CommandPath(), err)
	fmt.Fprintf(faults, "See %s --help.\n", c.CommandPath())
	return int(Misused)
}

// PrintFaults prints err to w. If err joins several errors, each of them gets its
// own line. Each line begins with the name of the program or the command, which is
// the parameter who.
func PrintFaults(w io.Writer, who string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, fault := range joined.Unwrap() {
			PrintFaults(w, who, fault)
		}
		return
	}
	fmt.Fprintf(w, "%s: %v\n", who, err)
}
