package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"matrixrtc-auth/internal/spelling"
)

// arguments returns an error if the command does not accept args.
func (s Spec) arguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return fmt.Errorf("there is no command %q%s", args[0], meant("", args[0], names(c)))
	case len(s.Args) == 0 && s.Flags == nil:
		return fmt.Errorf("%q is not expected: %s takes no arguments", args[0], c.Name())
	case len(s.Args) == 0 && slices.Contains(yesNo, strings.ToLower(args[0])):
		return fmt.Errorf("%q is not an option: write the value of a switch with an equals sign, as in --NAME=true or --NAME=false", args[0])
	case len(s.Args) == 0:
		return fmt.Errorf("%q is not an option: write the option's name before its value", args[0])
	case !slices.Contains(s.Args, args[0]):
		return fmt.Errorf("%s does not take the argument %q%s", c.Name(), args[0], meant("", args[0], s.Args))
	case len(args) > 1:
		return fmt.Errorf("%q is one argument too many: %s takes one argument", args[1], c.Name())
	}
	return nil
}

// yesNo lists words that people write after an option that takes no value, as in
// "--json yes".
var yesNo = []string{"yes", "no", "on", "off", "true", "false"}

// names returns the names of those subcommands of c that the help shows.
func names(c *cobra.Command) (list []string) {
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			list = append(list, below.Name())
		}
	}
	return list
}

// explainFlag returns an error that says what is wrong with an option. It leaves
// out the option's value, because the value may be a secret. But if the option's
// own parser returned an error, explainFlag includes that error, which may quote
// the value.
func explainFlag(c *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" { // a long name with one dash instead of two, like -json
			return fmt.Errorf("there is no option -%s%s", short, meant("--", short, options(c)))
		}
		return fmt.Errorf("there is no option --%s%s", name, meant("--", name, options(c)))
	case errors.As(err, &empty):
		return fmt.Errorf("--%s needs a value", empty.GetSpecifiedName())
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool":
		return fmt.Errorf("--%s: write it alone, or as --%[1]s=true or --%[1]s=false", invalid.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	}
	return err
}

func options(c *cobra.Command) (list []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) { list = append(list, f.Name) })
	return list
}

// typingErrors is the largest number of typing errors in a name that still gets a
// suggestion. Two swapped letters count as two errors.
const typingErrors = 2

// meant returns a suggestion like "did you mean …?" with the name in names that is
// most like text. It returns "" if no name is like text. In a short name, at least
// half of the letters must be right.
func meant(prefix, text string, names []string) string {
	nearest, errors := spelling.Nearest(text, names)
	if nearest == "" || errors > min(typingErrors, len(nearest)/2) {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, nearest)
}
