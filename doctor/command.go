package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// The exit codes.
const (
	exitFine  = 0
	exitFault = 1
	exitUsage = 2
)

// Command is the sub-command: it reads args, looks, and prints the outcome to
// stdout; progress and what is wrong with args go to stderr. load reads the
// service's configuration. It returns the exit code.
func Command(ctx context.Context, args []string, load func() (config.Config, []config.Warning, error), look *Look, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := ParseOptions(args)
	if errors.Is(err, ErrHelp) {
		fmt.Fprint(stdout, Usage)
		return exitFine
	}
	if err == nil {
		err = o.readToken(ctx, look, stdin)
	}
	if err == nil {
		err = look.prepare(&o, load)
	}
	if errors.Is(err, errInterrupted) {
		fmt.Fprintln(stderr, "matrixrtc-auth doctor:", err)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintf(stderr, "matrixrtc-auth doctor: %v\n\n%s", err, Usage)
		return exitUsage
	}
	told := &progress{w: stderr, terminal: isTerminal(stderr)}
	r := Examine(ctx, look, o, told.ended)
	if len(r.Checks) == 0 {
		fmt.Fprintln(stderr, "matrixrtc-auth doctor: --only and --skip leave nothing to look at (the checks of user need --user)")
		return exitUsage
	}
	if err := r.print(stdout, o.JSON); err != nil {
		fmt.Fprintln(stderr, "matrixrtc-auth doctor:", err)
		return exitUsage
	}
	return r.exit(ctx, o.Strict)
}

func (r Report) print(w io.Writer, json bool) error {
	if json {
		return r.WriteJSON(w)
	}
	return r.WriteText(w)
}

func (r Report) exit(ctx context.Context, strict bool) int {
	switch {
	case ctx.Err() != nil:
		return exitUsage // it was interrupted
	case r.Summary.Fail > 0, strict && r.Summary.Warn > 0:
		return exitFault
	}
	return exitFine
}

// maxToken bounds a file that holds an access token, in bytes.
const maxToken = 16 << 10

var errInterrupted = errors.New("interrupted")

// readToken reads the user's access token.
func (o *Options) readToken(ctx context.Context, look *Look, stdin io.Reader) error {
	if o.TokenFile == "" {
		return nil
	}
	text, err := within(ctx, func() ([]byte, error) {
		if o.TokenFile == "-" {
			return io.ReadAll(io.LimitReader(stdin, maxToken+1))
		}
		return look.ReadFile(o.TokenFile)
	})
	token := strings.TrimSpace(string(text))
	switch {
	case errors.Is(err, errInterrupted):
		return err
	case err != nil:
		return errors.New("--token-file: the file cannot be read")
	case token == "" || len(token) > maxToken || strings.ContainsAny(token, " \r\n\t"):
		return errors.New("--token-file: the file must hold one access token and nothing else")
	}
	o.Token = secret.New(token)
	return nil
}

// within returns what read returns, or errInterrupted at the end of ctx: read,
// which waits for a person, stays behind then for as long as the process lives.
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

// prepare loads the configuration and completes what follows from it.
func (l *Look) prepare(o *Options, load func() (config.Config, []config.Warning, error)) error {
	l.resolve = o.Resolve
	if !o.Outside {
		l.Config, l.Warnings, l.Fault = load()
		l.Roots = l.Config.RootCAs
	}
	l.client = l.newClient()
	if len(o.Servers) == 0 {
		o.Servers = l.Config.FullAccess.Servers
		o.Servers = o.Servers[:min(len(o.Servers), maxServers)]
	}
	o.Servers = once(o.Servers)
	if len(o.Servers) == 0 && l.Config.FullAccess.Everyone {
		return errors.New("--server-name is missing: LIVEKIT_FULL_ACCESS_HOMESERVERS is *, which names no homeserver")
	}
	if len(o.Servers) == 0 && l.Fault == nil {
		return errors.New("--server-name is missing: the configuration names no homeserver")
	}
	if o.SFUURL == "" && !l.refuses("LIVEKIT_URL") { // which may hold a password then
		o.SFUURL = l.Config.LivekitURL
	}
	return o.checkUser()
}

// once is a list of servers without those that are named again.
func once(list []matrix.ServerName) (names []matrix.ServerName) {
	for _, name := range list {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// checkUser looks whether the user's homeserver is one that is looked at.
func (o *Options) checkUser() error {
	if o.User.IsZero() || slices.Contains(o.Servers, o.User.Server()) {
		return nil
	}
	if len(o.Servers) == 0 { // the configuration is refused, and names none
		o.Servers = append(o.Servers, o.User.Server())
		return nil
	}
	return fmt.Errorf("--user: %s is none of the homeservers that are looked at; --server-name adds it", o.User.Server())
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
