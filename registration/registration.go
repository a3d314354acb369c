// Package registration is the command that writes the registration file of an
// application service, for the homeserver and for this service, and says what
// the homeserver's own configuration needs besides.
package registration

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the file cannot be read or written
	exitUsage  = 2
)

const usage = `Usage: matrixrtc-auth registration --server-name NAME --url URL [flags]

Writes the registration file of the application-service mode, which the
homeserver and this service both read, and prints what homeserver.yaml needs.
A second run keeps the tokens of the file.

  --server-name NAME   example.org in @alice:example.org
  --url URL            where the homeserver reaches this service, like
                       http://matrixrtc-auth:8080
  --livekit-url URL    LiveKit's public address, like wss://sfu.example.org, for
                       the printed lines
  --service-url URL    this service's public address, like
                       https://jwt.example.org, for the printed lines
  --push               have the homeserver push every event of rooms with local
                       users to --url; nothing acts on them yet
  --output FILE        the file to write (` + appservice.DefaultFile + `)
  --new-tokens         draw new tokens
`

// options are the flags as they were typed.
type options struct {
	serverName, url, liveKitURL, serviceURL, output string
	push, newTokens                                 bool
}

// Run is `matrixrtc-auth registration` with args behind that word. It returns
// the exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	var wish appservice.Wish
	if err == nil {
		wish, err = o.wish()
	}
	if err != nil {
		printFaults(stderr, err)
		fmt.Fprintln(stderr, "matrixrtc-auth registration --help lists the flags.")
		return exitUsage
	}
	written, err := o.write(wish, stdout)
	if err != nil {
		printFaults(stderr, err)
		return exitFailed
	}
	for _, finding := range written.Lint(wish.Server) {
		printFaults(stderr, fmt.Errorf("%s: %s", o.output, finding))
	}
	return exitOK
}

func parse(args []string) (options, error) {
	var o options
	set := flag.NewFlagSet("registration", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&o.serverName, "server-name", "", "")
	set.StringVar(&o.url, "url", "", "")
	set.StringVar(&o.liveKitURL, "livekit-url", "", "")
	set.StringVar(&o.serviceURL, "service-url", "", "")
	set.StringVar(&o.output, "output", appservice.DefaultFile, "")
	set.BoolVar(&o.push, "push", false, "")
	set.BoolVar(&o.newTokens, "new-tokens", false, "")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag: every value has one in front", strings.Join(set.Args(), " "))
	}
	return o, nil
}

// wish judges the flags, all of them before it answers.
func (o options) wish() (appservice.Wish, error) {
	var faults []error
	server, err := matrix.ParseServerName(o.serverName)
	switch {
	case o.serverName == "":
		faults = append(faults, errors.New("--server-name is missing: it is example.org in @alice:example.org"))
	case err != nil:
		faults = append(faults, fmt.Errorf("--server-name: %w", err))
	}
	if o.output == "" {
		faults = append(faults, errors.New("--output is empty: it is the path of the file to write"))
	}
	for _, f := range []struct {
		flag, value, like string
		required          bool
		schemes           []string
	}{
		{"--url", o.url, "http://matrixrtc-auth:8080", true, []string{"http", "https"}},
		{"--livekit-url", o.liveKitURL, "wss://sfu.example.org", false, []string{"ws", "wss"}},
		{"--service-url", o.serviceURL, "https://jwt.example.org", false, []string{"http", "https"}},
	} {
		if f.value == "" && f.required {
			faults = append(faults, fmt.Errorf("%s is missing: it is like %s", f.flag, f.like))
		} else if f.value != "" && !isURL(f.value, f.schemes) {
			faults = append(faults, fmt.Errorf("%s is not a URL like %s", f.flag, f.like))
		}
	}
	return appservice.Wish{Server: server, URL: strings.TrimSuffix(o.url, "/"), Push: o.push}, errors.Join(faults...)
}

func isURL(text string, schemes []string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return strings.Contains(" "+strings.Join(schemes, " ")+" ", " "+u.Scheme+" ")
}

// write writes the file, says what follows, and returns what it wrote.
func (o options) write(wish appservice.Wish, stdout io.Writer) (appservice.Registration, error) {
	r := appservice.New(wish)
	old, err := appservice.ReadFile(o.output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return r, fmt.Errorf("%w: correct the file, or move it away", err)
	case o.newTokens:
		old.ASToken, old.HSToken = secret.Text{}, secret.Text{}
	}
	r = r.KeepTokens(old)
	if err := appservice.WriteFile(o.output, r); err != nil {
		return r, fmt.Errorf("%s cannot be written: %w", o.output, err)
	}
	fmt.Fprintf(stdout, "%s: written, with %s.\n\n", o.output, tokensOf(old))
	_, err = io.WriteString(stdout, o.next(wish))
	return r, err
}

// tokensOf says which tokens a file has that keeps those of old.
func tokensOf(old appservice.Registration) string {
	switch {
	case old.ASToken.IsEmpty() && old.HSToken.IsEmpty():
		return "new tokens"
	case old.ASToken.IsEmpty() || old.HSToken.IsEmpty():
		return "a new token, and the one that it had"
	}
	return "the tokens that it had"
}

// printFaults prints an error, a joined one line by line.
func printFaults(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, fault := range joined.Unwrap() {
			printFaults(w, fault)
		}
		return
	}
	fmt.Fprintln(w, "matrixrtc-auth registration:", err)
}

// ids say as whom this process runs, for who must be able to read the file.
func ids() string { return fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()) }
