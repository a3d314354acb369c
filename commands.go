package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/invite"
	"matrixrtc-auth/registration"
	"matrixrtc-auth/service"
	"matrixrtc-auth/setup"
)

// root returns the program's command, with all its sub-commands. Without a
// sub-command the program runs serve, as containers expect.
func root() *cobra.Command {
	c := command.New(command.Spec{Name: command.Program, Run: runRoot})
	c.Use += " [command]"
	c.Flags().Bool("version", false, "print the version")
	c.AddCommand(
		serveCommand(), doctorCommand(), testLinkCommand(), configCommand(), registration.Command(),
		setup.Command(templates), healthcheckCommand(), versionCommand(), completionCommand(),
	)
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { help(c) })
	c.SetHelpCommand(helpCommand(c.Commands()))
	c.CompletionOptions.DisableDefaultCmd = true
	return c
}

func runRoot(c *cobra.Command, _ []string) error {
	if wanted, err := c.Flags().GetBool("version"); err == nil && wanted {
		return printVersion(c, nil)
	}
	return serve(c, nil)
}

func serveCommand() *cobra.Command {
	return command.New(command.Spec{
		Name: "serve", Short: "serve token requests until SIGTERM or SIGINT (the default)", Run: serve,
		About: "Serves token requests until SIGTERM or SIGINT. Exit code 1 when it cannot.\nThe environment configures it:",
		After: variables,
	})
}

func serve(c *cobra.Command, _ []string) error {
	return command.Code(service.Run(c.Context(), buildVersion(), c.ErrOrStderr()))
}

func doctorCommand() *cobra.Command {
	return doctor.Command(config.Inspect, doctor.NewLook(buildVersion()))
}

func testLinkCommand() *cobra.Command {
	return invite.Command(config.Inspect, instruments.New())
}

func configCommand() *cobra.Command {
	return command.New(command.Spec{
		Name: "config", Short: "print the configuration in effect without secrets, and its faults",
		About: "Prints the configuration in effect without secrets. Exit code 1 when it has faults,\nall of which are printed. matrixrtc-auth help lists the variables.",
		Run: func(c *cobra.Command, _ []string) error {
			return printConfig(c.OutOrStdout(), c.ErrOrStderr())
		},
	})
}

// printConfig prints the configuration in effect. If variables have faults, it
// prints all faults instead.
func printConfig(stdout, stderr io.Writer) command.Code {
	cfg, warnings, err := config.Load()
	for _, warning := range warnings {
		fmt.Fprintln(stderr, "warning:", warning)
	}
	if err == nil {
		err = cfg.Print(stdout)
	}
	for _, fault := range config.Lines(err) {
		fmt.Fprintln(stderr, "fault:", fault)
	}
	if err != nil {
		return command.Failed
	}
	return command.OK
}

func healthcheckCommand() *cobra.Command {
	return command.New(command.Spec{
		Name: "healthcheck", Short: "ask the running service on this machine whether it is healthy",
		About: "Asks the service that this environment configures whether it is healthy. Exit code 1\nwhen it is not.",
		Run: func(c *cobra.Command, _ []string) error {
			return healthcheck(c.Context(), c.ErrOrStderr())
		},
	})
}

func versionCommand() *cobra.Command {
	return command.New(command.Spec{Name: "version", Short: "print the version", Run: printVersion})
}

func printVersion(c *cobra.Command, _ []string) error {
	fmt.Fprintln(c.OutOrStdout(), command.Program, buildVersion())
	return nil
}

func completionCommand() *cobra.Command {
	shells := map[string]func(*cobra.Command, io.Writer) error{
		"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  (*cobra.Command).GenZshCompletion,
		"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	}
	c := command.New(command.Spec{
		Name: "completion", Short: "print a script by which a shell completes commands and options", Args: []string{"bash", "zsh", "fish"},
		About: `Prints a script by which a shell completes commands and options:

  bash: source <(matrixrtc-auth completion bash)
  zsh:  source <(matrixrtc-auth completion zsh)
  fish: matrixrtc-auth completion fish | source`,
		Run: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("the name of a shell is missing: write bash, zsh or fish")
			}
			return shells[args[0]](c.Root(), c.OutOrStdout())
		},
	})
	c.Use += " bash|zsh|fish"
	return c
}

// helpCommand returns the help command. That command prints the help of the
// program or of one of its commands.
func helpCommand(commands []*cobra.Command) *cobra.Command {
	var names []string
	for _, about := range commands {
		names = append(names, about.Name())
	}
	names = append(names, "help")
	c := command.New(command.Spec{
		Name: "help", Short: "print the help, and the environment variables", Args: names,
		Run: func(c *cobra.Command, args []string) error {
			about, _, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			return about.Help()
		},
	})
	c.Use += " [command]"
	return c
}

// help prints the program's commands and variables.
func help(c *cobra.Command) {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n\nCommands:\n", c.UseLine())
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() || below.Name() == "help" {
			fmt.Fprintf(&b, "  %-12s %s\n", below.Name(), below.Short)
		}
	}
	fmt.Fprintf(&b, "\n%s COMMAND --help says more about that command.\n\nEnvironment variables:\n%s", command.Program, variables())
	command.Print(c, b.String())
}

// variables returns the list of the environment variables as text.
func variables() string {
	var b strings.Builder
	group := config.Group("")
	for _, v := range config.Variables() {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n %s\n", group)
		}
		fmt.Fprintf(&b, "  %s\n      %s\n", v.Name, strings.ReplaceAll(v.Meaning, "`", ""))
		if v.Default != "" {
			fmt.Fprintf(&b, "      default: %s\n", v.Default)
		}
	}
	return b.String()
}
