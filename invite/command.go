package invite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
)

const about = `Makes a link with which somebody tests, on their own device and in their network,
whether calls work there, and prints it with its QR code. Scan that with a phone on
mobile data. Exit code 1: there is no link, and why.`

type options struct {
	publicURL *url.URL
	minutes   int
	json      bool
	watch     bool
}

// Command returns `matrixrtc-auth test-link`. load reads the service's
// configuration.
func Command(load func() (config.Config, []config.Warning, error), network *instruments.Network) *cobra.Command {
	o := options{minutes: testlink.UsualMinutes}
	return command.New(command.Spec{
		Name: "test-link", Short: "make a link that tests calls on somebody's phone", About: about, Flags: o.flags(),
		Run: func(c *cobra.Command, _ []string) error {
			cfg, _, err := load()
			if err != nil {
				command.PrintFaults(c.ErrOrStderr(), c.CommandPath(), errors.Join(config.Lines(err)...))
				return command.Failed
			}
			network.Roots = cfg.RootCAs.Pool()
			network.Ready()
			return o.run(c, newInviter(&cfg, network))
		},
	})
}

func (o *options) flags() *command.Flags {
	var flags command.Flags
	g := flags.Group("")
	g.Parse("public-url", "URL", "where clients reach this service (default: what the well-known of the first full-access homeserver says)", o.parsePublicURL)
	g.Parse("minutes", "N", fmt.Sprintf("how long the link is good for, 1 to %d (default: %d)", testlink.MostMinutes, testlink.UsualMinutes), o.parseMinutes)
	g.Switch(&o.watch, "watch", "then print who comes and what the test finds, until the link ends")
	g.Switch(&o.json, "json", "print JSON, one object a line")
	return &flags
}

func (o *options) parsePublicURL(text string) error {
	u, err := parseAddress(text)
	o.publicURL = u
	return err
}

// parseAddress parses a URL of this service. Errors do not quote the URL,
// because it may hold a password.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("the value is not an address like https://jwt.example.org")
	}
	return u, nil
}

func (o *options) parseMinutes(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > testlink.MostMinutes {
		return fmt.Errorf("the value is not a number from 1 to %d", testlink.MostMinutes)
	}
	o.minutes = n
	return nil
}

// run makes the link and shows it.
func (o *options) run(c *cobra.Command, in *inviter) error {
	in.notes = c.ErrOrStderr()
	link, err := in.invite(c.Context(), o.publicURL, time.Duration(o.minutes)*time.Minute)
	if err == nil {
		err = o.show(c.OutOrStdout(), link)
	}
	if err != nil {
		command.PrintFaults(c.ErrOrStderr(), c.CommandPath(), err)
		return command.Failed
	}
	if o.watch {
		in.watch(c.Context(), link, o.teller(c.OutOrStdout()))
	}
	return nil
}

// Link is a link to the connection test, with the room of the test and the time
// at which the link expires.
type Link struct {
	URL     string    `json:"url"`
	Room    sfu.Room  `json:"room"`
	Expires time.Time `json:"expires"`
}

// show prints the link to w, as JSON or as text. If w is a terminal, the text
// has a QR code at its end. The code comes last, because it may fill the
// terminal.
func (o *options) show(w io.Writer, link Link) error {
	if o.json {
		return json.NewEncoder(w).Encode(link)
	}
	_, err := fmt.Fprintf(w, "%s\nOpen it on a phone on mobile data and tap Start. The link expires at %s.\n%s",
		link.URL, link.Expires.Local().Format("15:04 MST"), draw(w, link.URL))
	return err
}

// draw returns the QR code of a link if w is a terminal. If the terminal is too
// narrow or the link is too long, draw returns a text that says why there is no
// code. If w is no terminal, draw returns "".
func draw(w io.Writer, link string) string {
	f, ok := command.Terminal(w)
	if !ok {
		return ""
	}
	drawn, wide, err := code(link, os.Getenv("TERM") != "dumb")
	columns, _, unknown := term.GetSize(int(f.Fd()))
	switch {
	case err != nil:
		return fmt.Sprintf("There is no QR code: %v.\n", err)
	case unknown == nil && columns > 0 && columns < wide:
		return fmt.Sprintf("The QR code takes %d columns; this terminal has %d.\n", wide, columns)
	}
	return drawn
}
