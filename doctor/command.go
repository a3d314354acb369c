package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// Command returns the command `matrixrtc-auth doctor`. It runs the checks,
// prints the report on standard output, and shows its progress on standard
// error. load reads the service's configuration.
func Command(load func() (config.Config, []config.Warning, error), look *Look) *cobra.Command {
	o := Options{Resolve: map[string]netip.Addr{}}
	return command.New(command.Spec{
		Name: "doctor", Short: "look at the deployment and say what is wrong with it", About: about, Flags: o.flags(),
		Run: func(c *cobra.Command, _ []string) error {
			return o.diagnose(c.Context(), load, look, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	})
}

// diagnose runs the checks. An error that is not a [command.Code] is about an
// option.
func (o *Options) diagnose(ctx context.Context, load func() (config.Config, []config.Warning, error), look *Look, stdin io.Reader, stdout, stderr io.Writer) error {
	err := o.check()
	if err == nil {
		err = o.readToken(ctx, look, stdin, stderr)
	}
	if err == nil {
		err = look.prepare(o, load)
	}
	if errors.Is(err, errInterrupted) {
		fmt.Fprintln(stderr, "matrixrtc-auth doctor:", err)
		return command.Misused
	}
	if err != nil {
		return err
	}
	_, terminal := command.Terminal(stderr)
	told := &engine.Teller{W: stderr, Terminal: terminal}
	r := Examine(ctx, look, *o, told.Ended)
	if len(r.Checks) == 0 {
		return errors.New("--only and --skip leave no check to run; the checks of the group user also need --user")
	}
	if err := o.print(r, stdout); err != nil {
		fmt.Fprintln(stderr, "matrixrtc-auth doctor:", err)
		return command.Misused
	}
	return exit(ctx, r, o.Strict)
}

// print writes the report to w: as JSON, for a terminal, or as plain text.
func (o *Options) print(r engine.Report, w io.Writer) error {
	if o.JSON {
		return r.WriteJSON(w)
	}
	if terminal, ok := command.Terminal(w); ok {
		return o.screen(terminal).Write(w, r)
	}
	err := r.WriteText(w)
	if err == nil && !o.Outside {
		_, err = io.WriteString(w, offer+"\n")
	}
	return err
}

// offer is the last line of a report that doctor prints in the service's
// container. It names the command for a test that doctor cannot make.
const offer = "The last mile to a phone: matrixrtc-auth test-link makes a link that tests it."

// screen returns the properties of a terminal. The variable NO_COLOR switches
// colours off (no-color.org).
func (o *Options) screen(terminal *os.File) engine.Screen {
	s := engine.Screen{All: o.All, Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if !o.Outside {
		s.Note = offer
	}
	if width, height, err := term.GetSize(int(terminal.Fd())); err == nil {
		s.Width, s.Height = width, height
	}
	return s
}

// exit returns the exit code. The code is 0, or 1 for a fault (with --strict
// for a warning, too). It is 2 if the run was interrupted or an option is
// wrong.
func exit(ctx context.Context, r engine.Report, strict bool) error {
	switch {
	case ctx.Err() != nil:
		return command.Misused // the run was interrupted, so the report does not say whether there are faults
	case r.Summary.Fail > 0, strict && r.Summary.Warn > 0:
		return command.Failed
	}
	return nil
}

// maxToken bounds the bytes of a file with an access token.
const maxToken = 16 << 10

var errInterrupted = errors.New("interrupted")

// readToken reads the user's access token.
func (o *Options) readToken(ctx context.Context, look *Look, stdin io.Reader, stderr io.Writer) error {
	if o.TokenFile == "" {
		return nil
	}
	read := func() ([]byte, error) { return look.ReadFile(o.TokenFile) }
	if o.TokenFile == "-" {
		read = func() ([]byte, error) { return io.ReadAll(io.LimitReader(stdin, maxToken+1)) }
	}
	if terminal, ok := command.Terminal(stdin); ok && o.TokenFile == "-" {
		fmt.Fprintf(stderr, "Access token of %s (it is not shown): ", o.User)
		defer fmt.Fprintln(stderr)
		defer echoAgain(terminal)()
		read = func() ([]byte, error) { return term.ReadPassword(int(terminal.Fd())) }
	}
	text, err := within(ctx, read)
	token := strings.TrimSpace(string(text))
	switch {
	case errors.Is(err, errInterrupted):
		return err
	case err != nil:
		return errors.New("--token-file: the file cannot be read; write the path of a file that this user may read")
	case token == "" || len(token) > maxToken || strings.ContainsAny(token, " \r\n\t"):
		return errors.New("--token-file: the file must hold one access token and nothing else")
	}
	o.Token = secret.New(token)
	return nil
}

// echoAgain returns a function that restores the terminal's settings. Without
// this function, the terminal would show nothing more after a person has
// interrupted the prompt for the token.
func echoAgain(terminal *os.File) func() {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(terminal.Fd()), state) }
}

// within returns the result of read, or errInterrupted if ctx ends first. read
// waits for a person. If ctx ends, read goes on in the background until the
// process ends.
func within(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return nil, errInterrupted
	}
}

// prepare loads the service's configuration, and sets the options that follow
// from it. Without --server-name, doctor examines the first five servers
// (maxServers) of LIVEKIT_FULL_ACCESS_HOMESERVERS. With --user it also examines
// the user's server. With --outside it reads no configuration.
func (l *Look) prepare(o *Options, load func() (config.Config, []config.Warning, error)) error {
	l.Resolve = o.Resolve
	if !o.Outside {
		l.Config, l.Warnings, l.Fault = load()
		l.Roots = l.Config.RootCAs.Pool()
	}
	l.Ready()
	if len(o.Servers) == 0 {
		o.Servers = l.Config.FullAccess.Servers
		o.Servers = o.Servers[:min(len(o.Servers), maxServers)]
	}
	if !o.User.IsZero() { // if LIVEKIT_FULL_ACCESS_HOMESERVERS lacks this server, the check config.full_access reports that
		o.Servers = append(slices.Clone(o.Servers), o.User.Server())
	}
	o.Servers = once(o.Servers)
	if len(o.Servers) == 0 && l.Config.FullAccess.Everyone {
		return errors.New("--server-name is missing: LIVEKIT_FULL_ACCESS_HOMESERVERS is *, which names no homeserver")
	}
	if len(o.Servers) == 0 && l.Fault == nil && !l.warns(config.NotServerName) { // otherwise a check of the configuration reports why there is no server name
		return errors.New("--server-name is missing: the configuration names no homeserver")
	}
	if o.SFUURL == "" && !l.refuses("LIVEKIT_URL") { // a refused value may hold a password, which no report may show
		o.SFUURL = l.Config.LivekitURL
	}
	return nil
}

// once returns list without duplicates.
func once(list []matrix.ServerName) (names []matrix.ServerName) {
	for _, name := range list {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
