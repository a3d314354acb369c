// Command matrixrtc-auth is a MatrixRTC authorization service: it has a
// homeserver confirm whose an OpenID token is and hands that user an access
// token for the LiveKit room of their call (MSC4195).
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"matrixrtc-auth/config"
	"matrixrtc-auth/registration"
	"matrixrtc-auth/service"
	"matrixrtc-auth/setup"
)

// version is stamped by the linker: -ldflags "-X main.version=1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from then on a signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `Usage: matrixrtc-auth [command]

Commands:
  serve        serve token requests until SIGTERM or SIGINT (the default)
  doctor       look at the deployment and say what is wrong with it (doctor --help)
  config       print the configuration in effect without secrets, and its faults
  registration write the registration file of the application-service mode
               (registration --help)
  setup        write a deployment into a folder (setup --help)
  healthcheck  ask the running service on this machine whether it is healthy
  version      print the version
  help         print this, and the environment variables
`

// run is the program. It returns the exit code: 0, 1 for a failure, 2 for
// arguments that make no sense. Cancelling ctx ends serve.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if args = withoutProgram(args); len(args) == 0 {
		args = []string{"serve"}
	}
	switch args[0] {
	case "setup":
		return setup.Run(ctx, args[1:], setup.Streams{In: stdin, Out: stdout, Err: stderr, Terminal: isTerminal(stdin)}, templates)
	case "registration":
		return registration.Run(args[1:], stdout, stderr)
	case "doctor":
		return diagnose(ctx, args[1:], stdin, stdout, stderr)
	}
	if len(args) > 1 {
		return misuse(stderr, fmt.Sprintf("%s takes no arguments; the environment configures it", args[0]))
	}
	switch args[0] {
	case "serve":
		return service.Run(ctx, buildVersion(), stderr)
	case "config":
		return printConfig(stdout, stderr)
	case "healthcheck":
		return healthcheck(ctx, stderr)
	case "version", "--version":
		fmt.Fprintln(stdout, "matrixrtc-auth", buildVersion())
	case "help", "--help", "-h":
		printHelp(stdout)
	default:
		return misuse(stderr, fmt.Sprintf("there is no command %q", args[0]))
	}
	return exitOK
}

// withoutProgram drops a first argument that names the program: what compose
// files and playbooks for lk-jwt-service give as the command comes behind the
// image's entry point.
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

// isTerminal reports whether a person can answer at r.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func misuse(stderr io.Writer, fault string) int {
	fmt.Fprintf(stderr, "matrixrtc-auth: %s\n\n%s", fault, usage)
	return exitUsage
}

// printConfig prints the effective configuration, or else all that is wrong.
func printConfig(stdout, stderr io.Writer) int {
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
		return exitFailed
	}
	return exitOK
}

func printHelp(stdout io.Writer) {
	fmt.Fprint(stdout, usage, "\nEnvironment variables:\n")
	group := config.Group("")
	for _, v := range config.Variables() {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(stdout, "\n %s\n", group)
		}
		fmt.Fprintf(stdout, "  %s\n      %s\n", v.Name, v.Meaning)
		if v.Default != "" {
			fmt.Fprintf(stdout, "      default: %s\n", v.Default)
		}
	}
}

// buildVersion is the stamped version, else what the go command knows.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return cmp.Or(version, info.Main.Version, "(devel)")
}
