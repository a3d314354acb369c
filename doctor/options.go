package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// maxServers is the most homeservers that one run checks.
const maxServers = 5

// Options are the values of the command line's options.
type Options struct {
	Servers     []matrix.ServerName
	PublicURL   *url.URL
	SFUURL      string
	User        matrix.UserID
	TokenFile   string // the path of the file with the access token; "-" means standard input
	Token       secret.Text
	Room        string
	LiveKitYAML string
	Only, Skip  []string
	Resolve     map[string]netip.Addr

	Outside, JSON, Strict, All bool
}

const about = `Looks at the deployment that the environment configures and says what is wrong
with it. Exit code 0: no fault, 1: faults, 2: it could not look.`

// flags returns the options of the command line, which set the fields of o.
// Their errors contain the option's name.
func (o *Options) flags() *command.Flags {
	var flags command.Flags
	g := flags.Group("")
	g.Parse("server-name", "NAME", "look at this homeserver (default: the full-access list, 5 at most); repeatable, needed when the list is * or the vantage outside",
		func(text string) error { return addTo(&o.Servers, text, matrix.ParseServerName) })
	g.Parse("public-url", "URL", "where clients reach this service (default: what the well-known says)", o.parsePublicURL)
	g.Parse("sfu-url", "URL", "where clients reach LiveKit (default: LIVEKIT_URL; with --outside: the address that this service gives the user of --user, else one beside the service)", o.parseSFUURL)
	g.Switch(&o.Outside, "outside", "check from any PC, without configuration or secrets")
	g.Parse("user", "ID", "with --token-file: also make the checks that need a user's access token",
		func(text string) (err error) { o.User, err = matrix.ParseUserID(text); return })
	g.Text(&o.TokenFile, "token-file", "FILE", "the file with that access token; - for standard input, at a terminal with a prompt")
	g.Text(&o.Room, "room", "ID", "schedule and cancel one delayed event in this room")
	g.Text(&o.LiveKitYAML, "livekit-yaml", "FILE", "LiveKit's configuration (default: "+defaultLiveKitYAML+" if it is there)")
	g.Parse("resolve", "HOST:PORT:ADDRESS", "connect to ADDRESS for HOST:PORT, like curl's option; repeatable", o.parseResolve)
	g.Parse("only", "LIST", "make only these checks: ids of checks or groups, with commas between them", list(&o.Only))
	g.Parse("skip", "LIST", "leave these checks out: ids of checks or groups", list(&o.Skip))
	g.Switch(&o.All, "all", "at a terminal, show every check and not only what is wrong")
	g.Switch(&o.JSON, "json", "print JSON")
	g.Switch(&o.Strict, "strict", "exit code 1 for warnings, too")
	return &flags
}

// list returns a function that splits a text at commas and appends the parts to
// the given list.
func list(to *[]string) func(string) error {
	return func(text string) error { *to = append(*to, strings.Split(text, ",")...); return nil }
}

func (o *Options) parseResolve(text string) error {
	hostPort, addr, err := instruments.ParseResolve(text)
	if err == nil {
		o.Resolve[hostPort] = addr
	}
	return err
}

// The schemes that the URLs of this service and of LiveKit may have.
var (
	serviceSchemes = []string{"https", "http"}
	sfuSchemes     = []string{"wss", "https", "ws", "http"}
)

// parsePublicURL parses this service's URL. Its errors do not repeat the URL,
// which may hold a password.
func (o *Options) parsePublicURL(text string) error {
	u, fault := parseAddress(text, serviceSchemes)
	if fault != "" {
		return fmt.Errorf("the address %s: write it as https://jwt.example.org", fault)
	}
	o.PublicURL = u
	return nil
}

// parseSFUURL parses LiveKit's URL. Its errors do not repeat the URL.
func (o *Options) parseSFUURL(text string) error {
	u, fault := parseAddress(text, sfuSchemes)
	if fault != "" {
		return fmt.Errorf("the address %s: write LiveKit's address for clients (usually LIVEKIT_URL of the service), like wss://sfu.example.org", fault)
	}
	o.SFUURL = u.String()
	return nil
}

// parseAddress parses a URL that has a scheme and a host, and may have a port
// and a path. fault says what is wrong with the text; "" if nothing is.
func parseAddress(text string, schemes []string) (u *url.URL, fault string) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "":
		return nil, "is not a URL that begins with " + schemes[0] + "://"
	case u.User != nil:
		return nil, "holds a user or a password, which clients do not send"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, "has something behind the path (a ? or a #)"
	}
	if port, err := strconv.ParseUint(instruments.PortOf(u.Port(), u.Scheme), 10, 16); err != nil || port == 0 {
		return nil, "has a port that is not a number from 1 to 65535"
	}
	return u, ""
}

// check returns an error if an option has a value that is not valid, or needs
// another option that is missing.
func (o *Options) check() error {
	switch {
	case !o.User.IsZero() && o.TokenFile == "":
		return errors.New("--user needs --token-file, the file with the user's access token (- for standard input)")
	case o.User.IsZero() && o.TokenFile != "":
		return errors.New("--token-file needs --user, the id of the user whose access token it is")
	case o.Room != "" && o.User.IsZero():
		return errors.New("--room needs --user and --token-file")
	case o.Outside && len(o.Servers) == 0 && o.User.IsZero():
		return errors.New("--outside needs --server-name, the part behind the colon in @alice:example.org")
	case len(o.Servers) > maxServers:
		return fmt.Errorf("--server-name may be given at most %d times", maxServers)
	}
	for _, name := range slices.Concat(o.Only, o.Skip) {
		if !isCheckOrGroup(name) {
			return fmt.Errorf("--only or --skip: there is no check or group %q", name)
		}
	}
	if o.Room != "" {
		_, err := matrix.ParseRoomID(o.Room)
		return err
	}
	return nil
}

func addTo[T any](list *[]T, text string, parse func(string) (T, error)) error {
	v, err := parse(text)
	if err == nil {
		*list = append(*list, v)
	}
	return err
}

// selects reports whether --only and --skip leave the check in the run.
func (o *Options) selects(id string) bool {
	matches := func(name string) bool { return name == id || name == engine.GroupOf(id) }
	return (len(o.Only) == 0 || slices.ContainsFunc(o.Only, matches)) && !slices.ContainsFunc(o.Skip, matches)
}

// isCheckOrGroup reports whether there is a check or a group of that name.
func isCheckOrGroup(name string) bool {
	return slices.ContainsFunc(causes.Checks(), func(id string) bool { return id == name || engine.GroupOf(id) == name })
}
