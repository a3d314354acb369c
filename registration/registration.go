// Package registration is the command that writes the registration file of an
// application service, for the homeserver and for this service. The command
// also prints what the operator must write into the homeserver's own
// configuration.
package registration

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// options are the values of the flags.
type options struct {
	serverName, url, liveKitURL, serviceURL, output string
	push, newTokens                                 bool
}

// Command returns the command `matrixrtc-auth registration`.
func Command() *cobra.Command {
	o := options{output: appservice.DefaultFile}
	return command.New(command.Spec{
		Name: "registration", Short: "write the registration file of the application-service mode", Flags: o.flags(),
		About: `Writes the registration file of the application-service mode, which the
homeserver and this service both read, and prints what homeserver.yaml needs.
A second run keeps the tokens of the file. --server-name and --url are needed.`,
		Run: func(c *cobra.Command, _ []string) error { return o.run(c.OutOrStdout(), c.ErrOrStderr()) },
	})
}

func (o *options) flags() *command.Flags {
	var flags command.Flags
	g := flags.Group("")
	g.Text(&o.serverName, "server-name", "NAME", "example.org in @alice:example.org")
	g.Text(&o.url, "url", "URL", "where the homeserver reaches this service, like http://matrixrtc-auth:8080")
	g.Text(&o.liveKitURL, "livekit-url", "URL", "LiveKit's public address, like wss://sfu.example.org, for the printed lines")
	g.Text(&o.serviceURL, "service-url", "URL", "this service's public address, like https://jwt.example.org, for the printed lines")
	g.Switch(&o.push, "push", "have the homeserver push every event of rooms with local users to --url: who is banned is off LiveKit within a second")
	g.Text(&o.output, "output", "FILE", "the file to write ("+appservice.DefaultFile+")")
	g.Switch(&o.newTokens, "new-tokens", "draw new tokens")
	return &flags
}

// run checks the flags and writes the file. An error that is not a
// [command.Code] is about a flag.
func (o *options) run(stdout, stderr io.Writer) error {
	wish, err := o.wish()
	if err != nil {
		return err
	}
	written, err := o.write(wish, stdout)
	if err != nil {
		printFaults(stderr, err)
		return command.Failed
	}
	for _, finding := range written.Lint(wish.Server) {
		printFaults(stderr, fmt.Errorf("%s: %s", o.output, finding))
	}
	return nil
}

// wish returns the registration for which the flags ask. Its error names every
// wrong flag.
func (o options) wish() (appservice.Wish, error) {
	var faults []error
	server, err := matrix.ParseServerName(o.serverName)
	switch {
	case o.serverName == "":
		faults = append(faults, errors.New("--server-name is missing: write example.org if user ids look like @alice:example.org"))
	case err != nil:
		faults = append(faults, fmt.Errorf("--server-name: %w", err))
	}
	if o.output == "" {
		faults = append(faults, errors.New("--output is empty: write the path of the file to create"))
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
			faults = append(faults, fmt.Errorf("%s is missing: write an address like %s", f.flag, f.like))
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

// write writes the file, prints the next steps, and returns the registration
// that it wrote. If the file exists, write keeps its id and its
// sender_localpart. It also keeps the tokens, unless --new-tokens is set.
func (o options) write(wish appservice.Wish, stdout io.Writer) (appservice.Registration, error) {
	r := appservice.New(wish)
	old, err := appservice.ReadFile(o.output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return r, fmt.Errorf("%w; correct that file, or move it away so that a new one is made", err)
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

// tokensOf says in words which tokens of the old file the new file keeps.
func tokensOf(old appservice.Registration) string {
	switch {
	case old.ASToken.IsEmpty() && old.HSToken.IsEmpty():
		return "new tokens"
	case old.ASToken.IsEmpty() || old.HSToken.IsEmpty():
		return "one new token; the other one is kept from the old file"
	}
	return "the tokens of the old file"
}

func printFaults(w io.Writer, err error) {
	command.PrintFaults(w, command.Program+" registration", err)
}

// ids returns the user and the group of this process as "user:group". The printed
// instructions (nextSteps) show them, because the user that runs the service must be
// able to read the registration file.
func ids() string { return fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()) }
